import type { Pod } from "../pod.ts";
import { PodqError } from "../errors.ts";
import { placeOf, showName, wordOf, type PodPath } from "./paths.ts";
import { begin, finish, type FileOptions } from "./programs.ts";

/** What a name in a pod stands for. */
export type FileType = "file" | "directory" | "symlink" | "other";

/** One thing in a pod's folder. */
export type FileEntry = {
  /** From the folder on that was listed; what is no text of one line is escaped. */
  path: string;
  /** The same as it is. */
  pathBytes: Buffer;
  type: FileType;
  /** Bytes of a file. */
  size: number;
  /** Its permissions, like 0o644. */
  mode: number;
  modifiedAt: Date;
  /** What a link points at. */
  target?: Buffer;
};

/** With what tells one state of a file from another. */
export type Listed = FileEntry & { id: string };

// A pod says what it likes: what its list may cost here is bounded by bytes and by names, each of which is some objects.
const largest = 8_388_608;
const mostEntries = 50_000;
const longestPath = 4_096;
const leastBytes = 4; // of a name and its line: `x`, NUL, `-`, newline
const types: Record<number, FileType> = { 0o100000: "file", 0o040000: "directory", 0o120000: "symlink" };

/**
 * Lists a folder, or all that is below it, in the order of the names' bytes; or the one file that is named. Throws PodqError
 * `path-refused` for more than 50,000 entries, or 8 MiB of them.
 */
export async function list(
  pod: Pick<Pod, "exec">,
  path: PodPath,
  { recursive = false, ...options }: FileOptions & { recursive?: boolean } = {},
): Promise<{ isFolder: boolean; entries: Listed[] }> {
  const { folder, name, shown } = placeOf(path);
  const args = [wordOf(folder), wordOf(name), recursive ? "all" : "1"];
  const job = await begin(pod, "list", args, options, { maxOutputBytes: largest });
  const { stdout, stderr, truncated } = await finish(job, shown, options.signal);
  void job.discardOutput().catch(() => undefined);
  if (truncated) throw new PodqError("path-refused", `${shown}: ${tooMuch}`);
  const entries = parseList(Buffer.from(stdout));
  return { isFolder: stderr.text().includes("folder"), entries: entries.toSorted((a, b) => Buffer.compare(a.pathBytes, b.pathBytes)) };
}

const tooMuch = `holds more than can be listed at once: podq lists at most ${mostEntries} entries, and ${largest} bytes of them`;

/** What the program wrote: batches of names, their lines, and targets of links. Exported for its test. */
export function parseList(bytes: Buffer): Listed[] {
  const entries: Listed[] = [];
  let at = 0;
  let named = 0;
  const until = (end: number): Buffer => {
    const to = bytes.indexOf(end, at);
    demand(to !== -1, "ends in its middle");
    const part = bytes.subarray(at, to);
    at = to + 1;
    return part;
  };
  while (at < bytes.byteLength) {
    const count = Number(until(0x0a).toString());
    demand(Number.isInteger(count) && count > 0, "has a batch of no number");
    demand(count * leastBytes <= bytes.byteLength - at, "ends in its middle");
    if ((named += count) > mostEntries) throw new PodqError("path-refused", `the folder ${tooMuch}`);
    const names = Array.from({ length: count }, () => until(0));
    const lines = names.map(() => until(0x0a).toString());
    const targets = new Map<number, Buffer>();
    for (let one = until(0); one.byteLength > 0; one = until(0)) {
      const space = one.indexOf(0x20);
      const n = space > 0 ? Number(one.subarray(0, space).toString()) : -1;
      demand(names[n] !== undefined, "has the target of a link that is not in it");
      targets.set(n, one.subarray(space + 1, -1));
    }
    for (const [n, name] of names.entries()) {
      const [raw = "-", size, modified, id = ""] = lines[n]!.split(" ", 4);
      if (raw === "-") continue; // it went away meanwhile
      const kept = name.subarray(name.subarray(0, 2).toString() === "./" ? 2 : 0);
      demand(kept.byteLength > 0 && kept.byteLength <= longestPath, "has a name that is none");
      const mode = Number.parseInt(raw, 16);
      const type = types[mode & 0o170000] ?? "other";
      const target = targets.get(n);
      entries.push({
        path: showName(kept),
        pathBytes: kept,
        type,
        size: Number(size),
        mode: mode & 0o7777,
        modifiedAt: new Date(Number(modified) * 1_000),
        id,
        ...(type === "symlink" && target !== undefined && { target }),
      });
    }
  }
  return entries;
}

function demand(fine: boolean, why: string): void {
  if (!fine) throw new PodqError("internal", `the pod's list ${why}`);
}
