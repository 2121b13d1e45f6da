// OpenSSH's known_hosts, read as ssh(1) reads it. Pure: text in, answers out.
import { createHmac } from "node:crypto";

/** One usable line: which hosts, which key. */
export type KnownHost = { hosts: string; type: string; key: Buffer; marker?: "@revoked" | "@cert-authority"; line: number };

/** What the lines say about a host's key. `wrong`: there are lines for the host, and none of them has this key. */
export type HostKeyAnswer = { is: "right" } | { is: "unknown" } | { is: "revoked"; line: number } | { is: "wrong"; lines: number[] };

/** The lines of a known_hosts file; what is not a line of it (comments, blanks, rubbish) is left out, as ssh does. */
export function parseKnownHosts(text: string): KnownHost[] {
  return text.split("\n").flatMap((raw, index) => {
    const words = raw.trim().split(/\s+/);
    const marker = words[0] === "@revoked" || words[0] === "@cert-authority" ? words[0] : undefined;
    const [hosts, type, key] = marker ? words.slice(1) : words;
    if (!hosts || hosts.startsWith("#") || !type || !key) return [];
    return [{ hosts, type, key: Buffer.from(key, "base64"), line: index + 1, ...(marker && { marker }) }];
  });
}

/** How a host is written in known_hosts: with its port only where that is not 22. */
export function hostName(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
}

/** What the lines say about this key of this host. */
export function askKnownHosts(lines: readonly KnownHost[], host: { host: string; port: number }, key: Buffer): HostKeyAnswer {
  const mine = lines.filter((line) => line.marker !== "@cert-authority" && matches(line.hosts, hostName(host.host, host.port)));
  const revoked = mine.find((line) => line.marker === "@revoked" && line.key.equals(key));
  if (revoked) return { is: "revoked", line: revoked.line };
  const keys = mine.filter((line) => !line.marker);
  if (keys.length === 0 && host.port !== 22) {
    // As ssh does: a line for the host without a port vouches for its other ports, but accuses nobody.
    const plain = askKnownHosts(lines, { host: host.host, port: 22 }, key);
    return plain.is === "wrong" ? { is: "unknown" } : plain;
  }
  if (keys.length === 0) return { is: "unknown" };
  return keys.some((line) => line.key.equals(key)) ? { is: "right" } : { is: "wrong", lines: keys.map((line) => line.line) };
}

/** The types of key on file for a host, without repeats. */
export function knownTypes(lines: readonly KnownHost[], host: { host: string; port: number }): string[] {
  const mine = lines.filter((line) => !line.marker && matches(line.hosts, hostName(host.host, host.port)));
  return [...new Set(mine.map((line) => line.type))];
}

/** The line that makes a key known. */
export function knownHostsLine(host: { host: string; port: number }, key: Buffer): string {
  return `${hostName(host.host, host.port)} ${keyType(key)} ${key.toString("base64")}`;
}

/** The type that a public key's own bytes name, as `ssh-ed25519`. */
export function keyType(key: Buffer): string {
  const length = key.length >= 4 ? key.readUInt32BE(0) : 0;
  return key.subarray(4, 4 + length).toString("latin1");
}

function matches(hosts: string, name: string): boolean {
  if (hosts.startsWith("|1|")) return matchesHash(hosts, name);
  const patterns = hosts.toLowerCase().split(",");
  if (patterns.some((pattern) => pattern.startsWith("!") && glob(pattern.slice(1)).test(name))) return false;
  return patterns.some((pattern) => !pattern.startsWith("!") && glob(pattern).test(name));
}

function matchesHash(hosts: string, name: string): boolean {
  const [, , salt = "", hash = ""] = hosts.split("|");
  return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
}

function glob(pattern: string): RegExp {
  const source = pattern.replace(/[\\^$.*+?()[\]{}|]/g, (char) => ({ "*": ".*", "?": "." })[char] ?? `\\${char}`);
  return new RegExp(`^${source}$`);
}
