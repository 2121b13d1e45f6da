import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** What is kept of a request when its secrets have gone: enough to tell whether another request is the same one. */
export type Digest = { key: string; value: string };

/** A digest of the parts of a request under a key of its own, so that equal requests of two jobs do not look equal. */
export function digestOf(parts: readonly (string | Uint8Array)[], key: string = randomBytes(16).toString("hex")): Digest {
  const hmac = createHmac("sha256", Buffer.from(key, "hex"));
  for (const part of parts) hmac.update(`${Buffer.byteLength(part)}:`).update(part);
  return { key, value: hmac.digest("hex") };
}

/** Whether the parts are those that the digest was made of. */
export function sameDigest(digest: Digest, parts: readonly (string | Uint8Array)[]): boolean {
  return timingSafeEqual(Buffer.from(digestOf(parts, digest.key).value), Buffer.from(digest.value));
}

/** JSON with the keys of every object in order, so that equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
