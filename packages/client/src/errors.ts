import { RequestError, type Code } from "@podq/jobs";
import { QueueError } from "@podq/queue";
import { isUnreachable, StoreError } from "@podq/store";

/** What podq throws at a caller: `code` says what happened, `message` to which thing and what to do. */
export class PodqError extends Error {
  override readonly name: string = "PodqError";
  readonly code: Code;
  /** The job that may have been accepted although this was thrown: ask for it with `podq.job(jobId)`. */
  readonly jobId: string | undefined;

  constructor(code: Code, message: string, options: ErrorOptions & { jobId?: string } = {}) {
    super(message, options);
    this.code = code;
    this.jobId = options.jobId;
  }
}

/** The error as a caller shall see it. */
export function asPodqError(error: unknown, jobId?: string): PodqError {
  if (error instanceof PodqError) return error;
  const options = { cause: error, ...(jobId === undefined ? {} : { jobId }) };
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof RequestError) return new PodqError(error.code, message, options);
  if (error instanceof StoreError && (error.code === "conflict" || error.code === "backlog-full"))
    return new PodqError(error.code, message, options);
  if (isUnreachable(error) || error instanceof StoreError || error instanceof QueueError)
    return new PodqError("unavailable", message, options);
  return new PodqError("internal", message, options);
}

/** The error as it is, or `unavailable` if it says that MongoDB or Redis was away. */
export function readError(error: unknown): unknown {
  return isUnreachable(error) || error instanceof QueueError ? asPodqError(error) : error;
}
