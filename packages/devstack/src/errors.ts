/** What can go wrong in the stack: a program is not to be had, a server did not come up, or an argument makes no sense. */
export type DevstackCode = "binary-missing" | "start-failed" | "bad-argument";

/** The one error of this package. */
export class DevstackError extends Error {
  readonly code: DevstackCode;

  constructor(code: DevstackCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "DevstackError";
    this.code = code;
  }
}
