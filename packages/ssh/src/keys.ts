import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import ssh2, { type ParsedKey } from "ssh2";
import { SshError } from "./errors.ts";
import { convertPkcs8, isPkcs8 } from "./pkcs8.ts";

/** A private key, parsed once: an encrypted one costs up to seconds of computing. Nothing of it shows when it is logged. */
export class PrivateKey {
  /** As `ssh-ed25519`. */
  readonly type: string;
  /** Of the public half, as ssh-keygen -l shows it. */
  readonly fingerprint: string;
  readonly #parsed: ParsedKey;

  constructor(parsed: ParsedKey) {
    this.type = parsed.type;
    this.fingerprint = `SHA256:${createHash("sha256").update(parsed.getPublicSSH()).digest("base64").replace(/=+$/, "")}`;
    this.#parsed = parsed;
  }

  /** The key in the form that ssh2 logs in with. */
  forLogin(): ParsedKey {
    return this.#parsed;
  }
}

/** Where a private key comes from: `text` wins over `file`. */
export type KeyOptions = {
  /** The key itself; `\n` written as two characters is a line end. */
  text?: string;
  /** Its path; `~/` is the home directory. */
  file?: string;
  passphrase?: string;
};

/** Loads a private key. A text that is not a usable key falls back to a usable file, with a warning. Throws SshError if neither will do. */
export function loadKey(options: KeyOptions): { key: PrivateKey; from: "text" | "file"; warnings: string[] } {
  const text = options.text?.trim() ? options.text : undefined;
  if (text === undefined) return { key: readKeyFile(options), from: "file", warnings: [] };
  try {
    return { key: parsePrivateKey(text, options.passphrase), from: "text", warnings: [] };
  } catch (error) {
    if (!(error instanceof SshError)) throw error;
    return {
      key: orElse(error, options),
      from: "file",
      warnings: [`the key string is not usable (${error.message}); using the key file ${options.file} instead`],
    };
  }
}

function orElse(unusable: SshError, options: KeyOptions): PrivateKey {
  if (!options.file) throw unusable;
  try {
    return readKeyFile(options);
  } catch (error) {
    if (!(error instanceof SshError)) throw error;
    throw new SshError(unusable.code, `the key string is not usable (${unusable.message}), nor is the key file: ${error.message}`, {
      cause: error,
    });
  }
}

function readKeyFile({ file, passphrase }: KeyOptions): PrivateKey {
  if (!file) throw new SshError("no-key", "no private key: neither a key string nor a key file is given");
  let text: string;
  try {
    text = readFileSync(file.startsWith("~/") ? join(homedir(), file.slice(2)) : file, "utf8");
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new SshError("key-unreadable", `cannot read the key file ${file} (${why})`, { cause: error });
  }
  try {
    return parsePrivateKey(text, passphrase);
  } catch (error) {
    if (!(error instanceof SshError)) throw error;
    throw new SshError(error.code, `${file}: ${error.message}`, { cause: error.cause });
  }
}

/** Parses a private key in OpenSSH, PEM, PuTTY or PKCS#8 form. Throws SshError `key-unparsable` or `passphrase`; blocks while it decrypts. */
export function parsePrivateKey(raw: string, passphrase?: string): PrivateKey {
  const text = raw.replaceAll("\\r", "").replaceAll("\\n", "\n").replaceAll("\r", "").trim();
  const usable = isPkcs8(text) ? fromPkcs8(text, passphrase) : text;
  const found: unknown = ssh2.utils.parseKey(usable, passphrase);
  const parsed: unknown = Array.isArray(found) ? found[0] : found;
  if (!isParsedKey(parsed)) throw explain(parsed, passphrase);
  if (!parsed.isPrivateKey()) throw new SshError("key-unparsable", "this is a public key; the private one is needed");
  return new PrivateKey(parsed);
}

function fromPkcs8(text: string, passphrase: string | undefined): string {
  if (text.includes("ENCRYPTED") && passphrase === undefined)
    throw new SshError("passphrase", "the key is encrypted and no passphrase is given");
  try {
    return convertPkcs8(text, passphrase);
  } catch (error) {
    if (text.includes("ENCRYPTED") && !(error instanceof TypeError))
      throw new SshError("passphrase", "the passphrase does not open the key", { cause: error });
    throw new SshError("key-unparsable", "a PKCS#8 key that cannot be used; `ssh-keygen -p -f KEYFILE` writes it in OpenSSH's own form", {
      cause: error,
    });
  }
}

function isParsedKey(value: unknown): value is ParsedKey {
  return typeof value === "object" && value !== null && !(value instanceof Error) && "getPublicSSH" in value;
}

// ssh2 says what it tripped over; what a reader needs is what to do.
function explain(error: unknown, passphrase: string | undefined): SshError {
  const message = error instanceof Error ? error.message : "";
  if (/encrypted/i.test(message) && passphrase === undefined)
    return new SshError("passphrase", "the key is encrypted and no passphrase is given");
  if (/initialization vector|cipher/i.test(message)) {
    return new SshError(
      "key-unparsable",
      "the key is encrypted with a cipher that cannot be read here; `ssh-keygen -p -Z aes256-ctr -f KEYFILE` encrypts it anew",
    );
  }
  if (passphrase !== undefined && /integrity|passphrase|decrypt|authenticate|bad/i.test(message)) {
    return new SshError("passphrase", "the passphrase does not open the key");
  }
  return new SshError("key-unparsable", "not a private key in OpenSSH, PEM or PKCS#8 form");
}
