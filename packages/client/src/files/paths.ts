import { PodqError } from "../errors.ts";

/** A path in a pod, absolute or from /workspace on: text, or bytes where a name is no UTF-8. */
export type PodPath = string | Uint8Array;

/** A path that was looked at: in which folder of /workspace, and what in it. Both empty: /workspace itself. */
export type Place = { folder: Buffer; name: Buffer; shown: string };

const root = "workspace";
const longest = 4_096;
const longestName = 255;

/** Where a path leads. Throws PodqError `path-refused` for one that leaves /workspace, or is none. */
export function placeOf(path: PodPath): Place {
  const bytes = Buffer.from(path as Uint8Array);
  const shown = showName(bytes);
  const refuse = (why: string): never => {
    throw new PodqError("path-refused", `${shown}: ${why}`);
  };
  if (bytes.byteLength > longest) refuse(`is longer than ${longest} bytes`);
  const parts = split(bytes);
  if (bytes[0] === slash && parts.shift()?.equals(Buffer.from(root)) !== true) refuse(`is not in /${root}`);
  for (const part of parts) {
    if (part.equals(up)) refuse("goes up by `..`");
    if (part.includes(0)) refuse("has a NUL byte");
    if (part.byteLength > longestName) refuse(`has a name of more than ${longestName} bytes`);
  }
  const name = parts.pop() ?? Buffer.alloc(0);
  return { folder: join(parts), name, shown };
}

/** Why a name in a tree, or the target of a link there, may not be: null if it may. Both are from the top of the tree on. */
export function refusalOf(name: Buffer, target?: Buffer): string | null {
  const plain = split(name);
  if (name[0] === slash || plain.length === 0 || plain.some((part) => part.equals(up)) || name.includes(0))
    return "its name leaves the tree";
  if (target === undefined) return null;
  if (target[0] === slash || target.byteLength === 0 || target.includes(0)) return "is a link that leaves the tree";
  // `..` only at the beginning: behind a name, which may be a link itself, nobody can say where it leads.
  const parts = split(target);
  const ups = parts.findIndex((part) => !part.equals(up));
  const climbs = ups === -1 ? parts.length : ups;
  if (climbs > plain.length - 1 || parts.slice(climbs).some((part) => part.equals(up))) return "is a link that leaves the tree";
  return null;
}

/**
 * Says the same of each name of a tree in turn, and also why it may not come after those before it: so that no name leads through a
 * link or a file of the tree, whatever its pod said. The folder that a name is in must have come before it, and no name comes twice.
 */
export function refusalsInTurn(): (name: Buffer, type: string, target?: Buffer) => string | null {
  // By names of one spelling, so a Map of whole names is enough; parts of each would cost a hostile tree's depth squared.
  const folders = new Map<string, boolean>([["", true]]);
  return (name, type, target) => {
    const parts = split(name);
    const [key, above] = [parts, parts.slice(0, -1)].map((some) => join(some).toString("latin1")) as [string, string];
    const twice = folders.has(key);
    // Also of what is refused: nothing else may stand under its name.
    if (!twice) folders.set(key, type === "directory" && folders.get(above) === true);
    const refusal = refusalOf(name, target);
    if (refusal !== null) return refusal;
    if (folders.get(above) !== true) return "is below what is no folder of the tree";
    return twice ? "is there twice" : null;
  };
}

/** Bytes as a word of printf's %b, so that any of them can stand in an argument, which is UTF-8. */
export function wordOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) =>
    byte < 0x20 || byte > 0x7e || byte === 0x5c ? `\\0${byte.toString(8).padStart(3, "0")}` : String.fromCharCode(byte),
  ).join("");
}

/** A name for people: what is no text of one line is escaped. */
export function showName(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString();
  return Buffer.from(text).equals(Buffer.from(bytes)) && !/\p{Cc}/u.test(text) ? text : wordOf(bytes);
}

/** Parts of a path as one, with `/` between. */
export function join(parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts.flatMap((part, n) => (n === 0 ? [part] : [Buffer.from("/"), part])));
}

const slash = 0x2f;
const up = Buffer.from("..");

/** The names in a path; empty ones and `.` are none. */
export function split(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at <= bytes.byteLength;) {
    const end = bytes.indexOf(slash, at);
    const part = bytes.subarray(at, end === -1 ? bytes.byteLength : end);
    if (part.byteLength > 0 && !(part.byteLength === 1 && part[0] === 0x2e)) parts.push(part);
    if (end === -1) break;
    at = end + 1;
  }
  return parts;
}
