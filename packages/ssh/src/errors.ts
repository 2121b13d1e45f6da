/** What can be wrong before anything is dialled; what goes wrong later is a value, see outcome.ts. */
export type SshCode =
  | "no-key" // neither a key string nor a readable key file
  | "key-unreadable" // the key file cannot be read
  | "key-unparsable" // not a private key, or of a kind that cannot be used
  | "passphrase" // the key is encrypted and the passphrase is missing or wrong
  | "known-hosts" // the known_hosts file cannot be read or written
  | "output-limit"; // a command wrote more than may be collected

/** The one error class of this package. Its messages never hold a key or a passphrase. */
export class SshError extends Error {
  readonly code: SshCode;

  constructor(code: SshCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SshError";
    this.code = code;
  }
}
