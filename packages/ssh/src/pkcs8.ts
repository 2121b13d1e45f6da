// PKCS#8 is what openssl writes and ssh2 cannot read. The same key in a form that it can.
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";

/** True for `BEGIN PRIVATE KEY` and `BEGIN ENCRYPTED PRIVATE KEY`. */
export function isPkcs8(text: string): boolean {
  return /^-----BEGIN (ENCRYPTED )?PRIVATE KEY-----/m.test(text);
}

/** The key as PEM of its own kind (RSA, EC) or as OpenSSH text (Ed25519), unencrypted. Throws TypeError on another kind of key, Error on a wrong passphrase. */
export function convertPkcs8(text: string, passphrase: string | undefined): string {
  const key = createPrivateKey({ key: text, format: "pem", ...(passphrase !== undefined && { passphrase }) });
  const kind = key.asymmetricKeyType;
  if (kind === "rsa") return key.export({ type: "pkcs1", format: "pem" }).toString();
  if (kind === "ec") return key.export({ type: "sec1", format: "pem" }).toString();
  if (kind === "ed25519") return opensshEd25519(key);
  throw new TypeError(`a key of the kind ${kind} cannot log in by SSH`);
}

// The layout is PROTOCOL.key of OpenSSH: magic, cipher, kdf, kdf options, number of keys, public key, private part. Unencrypted,
// the private part begins with two equal numbers and is padded with 1, 2, 3... to the block size of 8.
function opensshEd25519(key: KeyObject): string {
  const seed = Buffer.from(key.export({ format: "jwk" }).d ?? "", "base64url");
  const point = Buffer.from(createPublicKey(key).export({ format: "jwk" }).x ?? "", "base64url");
  const type = field("ssh-ed25519");
  const secret = Buffer.concat([number(0), number(0), type, field(point), field(Buffer.concat([seed, point])), field("")]);
  const padding = Buffer.from(Array.from({ length: (8 - (secret.length % 8)) % 8 }, (_, index) => index + 1));
  const publicKey = field(Buffer.concat([type, field(point)]));
  const blob = [
    Buffer.from("openssh-key-v1\0"),
    field("none"),
    field("none"),
    field(""),
    number(1),
    publicKey,
    field(Buffer.concat([secret, padding])),
  ];
  const lines =
    Buffer.concat(blob)
      .toString("base64")
      .match(/.{1,70}/g) ?? [];
  return ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join("\n");
}

function field(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([number(bytes.length), bytes]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
