/** What a process is asked to trace; where it goes to is read by OpenTelemetry itself. */
export type TracingSettings = {
  /** Share of the traces that begin here, 0 to 1. */
  ratio: number;
  /** Whether a caller who traces, or does not, decides for what is done for him. */
  followCaller: boolean;
};

const samplers: Record<string, (share: number) => TracingSettings> = {
  always_on: () => ({ ratio: 1, followCaller: false }),
  always_off: () => ({ ratio: 0, followCaller: false }),
  traceidratio: (ratio) => ({ ratio, followCaller: false }),
  parentbased_always_on: () => ({ ratio: 1, followCaller: true }),
  parentbased_always_off: () => ({ ratio: 0, followCaller: true }),
  parentbased_traceidratio: (ratio) => ({ ratio, followCaller: true }),
};

/**
 * Reads what an environment asks for in OpenTelemetry's standard variables; null: no traces. It asks by naming an endpoint or the
 * exporter `otlp`. Values that are not known count as not given, as the standard has it.
 */
export function readTracing(env: Readonly<Record<string, string | undefined>>): TracingSettings | null {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === "true") return null;
  const exporters = env.OTEL_TRACES_EXPORTER?.split(",").map((name) => name.trim());
  const asked = env.OTEL_TRACES_EXPORTER
    ? exporters?.includes("otlp")
    : env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  if (!asked) return null;
  const share = Number.parseFloat(env.OTEL_TRACES_SAMPLER_ARG ?? "");
  const sampler = samplers[env.OTEL_TRACES_SAMPLER ?? ""] ?? samplers.parentbased_always_on!;
  return sampler(share >= 0 && share <= 1 ? share : 1);
}
