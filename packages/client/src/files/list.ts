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

const largest = 33_554_432;
const types: Record<number, FileType> = { 0o100000: "file", 0o040000: "directory", 0o120000: "symlink" };

/** Lists a folder, or all that is below it, in the order of the names' bytes; or the one file that is named. */
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
  if (truncated) throw new PodqError("path-refused", `${shown}: holds more than can be listed at once`);
  const entries = parseList(Buffer.from(stdout));
  return { isFolder: stderr.text().includes("folder"), entries: entries.toSorted((a, b) => Buffer.compare(a.pathBytes, b.pathBytes)) };
}

/** What the program wrote: batches of names, their lines, and targets of links. Exported for its test. */
export function parseList(bytes: Buffer): Listed[] {
  const entries: Listed[] = [];
  let at = 0;
  const until = (end: number): Buffer => {
    const to = bytes.indexOf(end, at);
    if (to === -1) throw new PodqError("internal", "the pod's list ends in its middle");
    const part = bytes.subarray(at, to);
    at = to + 1;
    return part;
  };
  while (at < bytes.byteLength) {
    const count = Number(until(0x0a).toString());
    const names = Array.from({ length: count }, () => until(0));
    const lines = names.map(() => until(0x0a).toString());
    const targets = new Map<number, Buffer>();
    for (let one = until(0); one.byteLength > 0; one = until(0)) {
      const space = one.indexOf(0x20);
      targets.set(Number(one.subarray(0, space).toString()), one.subarray(space + 1, -1));
    }
    for (const [n, name] of names.entries()) {
      const [raw = "-", size, modified, id = ""] = lines[n]!.split(" ");
      if (raw === "-") continue; // it went away meanwhile
      const kept = name.subarray(name.subarray(0, 2).toString() === "./" ? 2 : 0);
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
