/** Why the dispatcher could not do what it was asked. Never a reason to think that a job is lost: MongoDB has it. */
export type QueueCode =
  | "unreachable" // Redis does not answer
  | "unfit"; // Redis answers, but would lose or refuse what podq keeps there

/** The queue's error. */
export class QueueError extends Error {
  override readonly name = "QueueError";
  readonly code: QueueCode;

  constructor(code: QueueCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
