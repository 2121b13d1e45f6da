import { mongo } from "mongoose";

/** Why the store could not do what it was asked. */
export type StoreCode =
  | "unreachable" // MongoDB does not answer; a write that was under way may have been made
  | "unfit" // MongoDB answers, but podq's promises would not hold on it
  | "conflict" // the idempotency key was used with another request
  | "backlog-full" // the pod's line is at its limit
  | "host-full" // a new pod would be one too many on its host
  | "quota-exceeded"; // the owner's pods are at their limit

/** The store's error. `unreachable` may be tried again; a write repeated with the same id does nothing twice. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreCode;

  constructor(code: StoreCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

// A read that met a server which is no primary any more, or on its way out, twice: the driver repeats it once, and labels only writes.
const noPrimary: ReadonlySet<unknown> = new Set([91, 189, 10_107, 11_600, 11_602, 13_435, 13_436]);

/** Whether MongoDB could not be reached, or went away in the middle: what was to be written may have been. */
export function isUnreachable(error: unknown): boolean {
  return (
    error instanceof mongo.MongoNetworkError ||
    error instanceof mongo.MongoServerSelectionError ||
    error instanceof mongo.MongoNotConnectedError ||
    (error instanceof mongo.MongoError && (error.hasErrorLabel("RetryableWriteError") || error.hasErrorLabel("RetryableError"))) ||
    (error instanceof mongo.MongoServerError && noPrimary.has(error.code)) ||
    (error instanceof StoreError && error.code === "unreachable") ||
    isBrokenSocket(error)
  );
}

/** Whether a write failed because a unique index has the value already. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof mongo.MongoServerError && error.code === 11_000;
}

// A write to a connection that the server has just closed: the driver lets the socket's own error through.
function isBrokenSocket(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EPIPE" || error.code === "ECONNRESET");
}
