import { context, propagation, SpanKind, SpanStatusCode, trace, type Attributes, type Context, type Span } from "@opentelemetry/api";
import type { JobDocument } from "@podq/store";
import type { Outcome } from "./outcome.ts";

const tracer = trace.getTracer("podq");

/** One attempt, as a span of the trace in which its job was enqueued. Attributes name ids and codes, never commands, env or output. */
export async function tracedAttempt(job: JobDocument, work: () => Promise<Outcome>): Promise<Outcome> {
  if (job.traceparent === undefined) return work();
  const attributes = { "podq.job.id": job._id, "podq.job.kind": job.kind, "podq.pod": job.podKey, "podq.attempt": job.attempt };
  return tracer.startActiveSpan(`attempt ${job.kind}`, { kind: SpanKind.CONSUMER, attributes }, parentOf(job.traceparent), (span) =>
    within(span, work, (outcome) => {
      span.setAttribute("podq.outcome", outcome.kind === "end" ? outcome.state : outcome.kind);
      const code = "error" in outcome ? outcome.error?.code : undefined;
      if (code === undefined) return;
      span.setAttribute("podq.code", code);
      span.setStatus({ code: SpanStatusCode.ERROR, message: code });
    }),
  );
}

/** One call on the way to a pod, as a span of what it is made for. `outcomeOf` gives one word; any but `ok` and `ended` is an error. */
export async function tracedCall<T>(
  name: string,
  attributes: Attributes,
  work: () => Promise<T>,
  outcomeOf: (result: T) => string,
): Promise<T> {
  if (trace.getActiveSpan() === undefined) return work();
  return tracer.startActiveSpan(name, { kind: SpanKind.CLIENT, attributes }, (span) =>
    within(span, work, (result) => {
      const outcome = outcomeOf(result);
      span.setAttribute("podq.outcome", outcome);
      if (outcome !== "ok" && outcome !== "ended") span.setStatus({ code: SpanStatusCode.ERROR, message: outcome });
    }),
  );
}

/** Where the trace of what is being done goes on, for a job's record: BullMQ brings that of a plain job with it. */
export function activeTrace(): { traceparent?: string } {
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent === undefined ? {} : { traceparent: carrier.traceparent };
}

/** A dial of the pool, which is told of when it is over. */
export function traceDial(lane: string, ms: number): void {
  if (trace.getActiveSpan() === undefined) return;
  tracer.startSpan("ssh dial", { kind: SpanKind.CLIENT, attributes: { "podq.lane": lane }, startTime: Date.now() - ms }).end();
}

// BullMQ's delivery, if it belongs to the same trace; else the enqueue itself: a job that the sweeper brought back has only that.
function parentOf(traceparent: string): Context {
  const enqueued = propagation.extract(context.active(), { traceparent });
  const delivery = trace.getSpanContext(context.active());
  return delivery?.traceId === trace.getSpanContext(enqueued)?.traceId ? context.active() : enqueued;
}

async function within<T>(span: Span, work: () => Promise<T>, done: (result: T) => void): Promise<T> {
  try {
    const result = await work();
    done(result);
    return result;
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}
