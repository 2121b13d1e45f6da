/** `bad-argument`: the command line. `not-set-up`: what the run needs did not come up. `child-ended`: a process died that was not told to. */
export type ChaosCode = "bad-argument" | "not-set-up" | "child-ended";

/** What ends a run without a verdict. */
export class ChaosError extends Error {
  override readonly name = "ChaosError";
  readonly code: ChaosCode;

  constructor(code: ChaosCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
