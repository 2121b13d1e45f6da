import type { TracingSettings } from "./settings.ts";

/** A process that traces. */
export type Tracing = {
  /** Sends what is left, for at most five seconds. */
  stop: () => Promise<void>;
};

const sendWithinMs = 5_000;

/**
 * Starts OpenTelemetry for this process: spans go by OTLP over HTTP to where OTEL_EXPORTER_OTLP_* say, in the name of
 * OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES. What it is made of is loaded here and nowhere else.
 */
export async function startTracing({ ratio, followCaller }: TracingSettings, serviceName: string): Promise<Tracing> {
  const [{ context, propagation, trace }, { AsyncLocalStorageContextManager }, { W3CTraceContextPropagator }, resources, sdk, otlp] =
    await Promise.all([
      import("@opentelemetry/api"),
      import("@opentelemetry/context-async-hooks"),
      import("@opentelemetry/core"),
      import("@opentelemetry/resources"),
      import("@opentelemetry/sdk-trace"),
      import("@opentelemetry/exporter-trace-otlp-http"),
    ]);
  const { defaultResource, detectResources, resourceAttributesEnvDetector, resourceFromAttributes, serviceNameEnvDetector } = resources;
  const named = resourceFromAttributes({ "service.name": serviceName });
  const given = detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] });
  const root = new sdk.TraceIdRatioBasedSampler(ratio);
  const provider = new sdk.TracerProvider({
    resource: defaultResource().merge(named).merge(given),
    sampler: followCaller ? new sdk.ParentBasedSampler({ root }) : root,
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter: new otlp.OTLPTraceExporter(), scheduledDelayMillis: 1_000 })],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return {
    async stop() {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, sendWithinMs);
      await Promise.race([provider.shutdown().catch(() => undefined), late.promise]); // a collector that is away is no failure of ours
      clearTimeout(timer);
    },
  };
}
