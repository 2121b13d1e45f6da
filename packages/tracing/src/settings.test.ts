import { expect, it } from "vitest";
import { readTracing, type TracingSettings } from "./settings.ts";

const all: TracingSettings = { ratio: 1, followCaller: true };
const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://x:4318" };

it.each<[string, Record<string, string>, TracingSettings | null]>([
  ["nothing", {}, null],
  ["a place for all signals", endpoint, all],
  ["a place for traces", { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://x:4318/v1/traces" }, all],
  ["an exporter", { OTEL_TRACES_EXPORTER: "otlp" }, all],
  ["no exporter, though a place", { OTEL_TRACES_EXPORTER: "none", ...endpoint }, null],
  ["an exporter that there is not", { OTEL_TRACES_EXPORTER: "zipkin", ...endpoint }, null],
  ["all of it off", { OTEL_SDK_DISABLED: "true", ...endpoint }, null],
  ["empty settings, which count as none", { OTEL_TRACES_EXPORTER: "", OTEL_EXPORTER_OTLP_ENDPOINT: "" }, null],
  [
    "a share",
    { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.1", ...endpoint },
    { ratio: 0.1, followCaller: true },
  ],
  [
    "a share of its own",
    { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.5", ...endpoint },
    { ratio: 0.5, followCaller: false },
  ],
  [
    "a share that is none",
    { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "much", ...endpoint },
    { ratio: 1, followCaller: false },
  ],
  ["a sampler that there is not", { OTEL_TRACES_SAMPLER: "jaeger_remote", ...endpoint }, all],
])("an environment with %s is understood", (_what, env, settings) => {
  expect(readTracing(env)).toEqual(settings);
});
