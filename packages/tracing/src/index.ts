export { readTracing, type TracingSettings } from "./settings.ts";
export { startTracing, type Tracing } from "./start.ts";
