import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import type { JobRequest } from "@podq/jobs";

/**
 * Enqueues within a span, if the process traces. `work` is told where the trace goes on, as a `traceparent`, to be kept in the
 * job's record: what works on it belongs to the same trace then, whatever became of the queue.
 */
export async function traced<T>(
  { kind }: Pick<JobRequest, "kind">,
  jobId: string,
  work: (origin: { traceparent?: string }) => Promise<T>,
): Promise<T> {
  const attributes = { "podq.job.id": jobId, "podq.job.kind": kind };
  return trace.getTracer("podq").startActiveSpan(`enqueue ${kind}`, { kind: SpanKind.PRODUCER, attributes }, async (span) => {
    try {
      const { traceparent } = traceHeaders();
      return await work(traceparent === undefined ? {} : { traceparent });
    } catch (error) {
      span.recordException(error as Error);
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Where the trace of what is being done goes on, as headers; none where nobody traces. */
export function traceHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  return headers;
}
