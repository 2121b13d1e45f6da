import { createHmac, hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";

/** The settings that have the master key, as their variables are called; at most one of them is set. */
export type MasterKeySettings = { PODQ_WEBHOOK_KEY?: string | undefined; PODQ_WEBHOOK_KEY_FILE?: string | undefined };

/** Derives the keys that webhooks are signed with. */
export type Signer = {
  /** The key of a token's jobs, or of those that came without one, as a receiver's library takes it: `whsec_...`. */
  keyOf: (token: string | null) => string;
  /** The headers of one try, as the Standard Webhooks specification has them. */
  headersOf: (message: { id: string; token: string | null; at: Date; body: string }) => Record<string, string>;
};

const fewest = 32;
const keyBytes = 32;

/** The master key that the settings name; undefined if they name none. Throws an error that names the variable, and not its value. */
export function readMasterKey({ PODQ_WEBHOOK_KEY: text, PODQ_WEBHOOK_KEY_FILE: file }: MasterKeySettings): string | undefined {
  if (text && file) throw new Error("PODQ_WEBHOOK_KEY, PODQ_WEBHOOK_KEY_FILE: only one of them may be set");
  const [name, key] = text ? ["PODQ_WEBHOOK_KEY", text] : ["PODQ_WEBHOOK_KEY_FILE", file && contentsOf(file)];
  if (!key) return undefined;
  if (key.length < fewest) throw new Error(`${name}: a master key has at least ${fewest} characters; openssl rand -base64 32 makes one`);
  return key;
}

function contentsOf(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new Error(`PODQ_WEBHOOK_KEY_FILE: ${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** Makes a signer. Keys are derived (HKDF-SHA256), so that no receiver's key tells anything of another's or of the master's. */
export function createSigner(masterKey: string): Signer {
  const derive = (token: string | null): Buffer =>
    Buffer.from(hkdfSync("sha256", masterKey, "podq webhooks", token === null ? "installation" : `token/${token}`, keyBytes));
  return {
    keyOf: (token) => `whsec_${derive(token).toString("base64")}`,
    headersOf({ id, token, at, body }) {
      const seconds = Math.floor(at.getTime() / 1_000);
      const signature = createHmac("sha256", derive(token)).update(`${id}.${seconds}.${body}`).digest("base64");
      return { "webhook-id": id, "webhook-timestamp": String(seconds), "webhook-signature": `v1,${signature}` };
    },
  };
}
