/** A request that podq does not take. Nothing was written. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly code: "invalid-request" | "owner-missing" | "not-found";

  constructor(code: RequestError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
