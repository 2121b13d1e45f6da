/** `bad-argument`: the command line. `wrong-result`: a measured way did not do its work, so its time means nothing. `child-ended`: a process of the bench died. */
export type BenchCode = "bad-argument" | "wrong-result" | "child-ended";

/** What ends a bench without a table. */
export class BenchError extends Error {
  override readonly name = "BenchError";
  readonly code: BenchCode;

  constructor(code: BenchCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
