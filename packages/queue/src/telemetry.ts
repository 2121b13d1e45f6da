import { isSpanContextValid, trace } from "@opentelemetry/api";
import { SpanKind, type Telemetry } from "bullmq";

/** BullMQ's part in a trace. */
export type QueueTelemetry = Telemetry;

/** What lets BullMQ trace each add and each delivery, if this process traces; nothing is loaded otherwise. */
export async function queueTelemetry(): Promise<QueueTelemetry | undefined> {
  // Where nobody has set tracing up, no span has an id.
  if (!isSpanContextValid(trace.getTracer("podq").startSpan("probe").spanContext())) return undefined;
  const { BullMQOtel } = await import("bullmq-otel");
  const { tracer, contextManager } = new BullMQOtel({ tracerName: "podq" });
  return {
    contextManager,
    tracer: {
      // Its looks for work, a few a second for as long as a worker lives, are no part of anybody's trace.
      startSpan: (name, options, context) => (options?.kind === SpanKind.INTERNAL ? silent : tracer.startSpan(name, options, context)),
    },
  };
}

const silent: ReturnType<Telemetry["tracer"]["startSpan"]> = {
  setSpanOnContext: (context) => context,
  setAttribute: () => undefined,
  setAttributes: () => undefined,
  addEvent: () => undefined,
  recordException: () => undefined,
  end: () => undefined,
};
