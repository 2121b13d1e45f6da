import { createHash } from "node:crypto";
import { PodqError } from "../errors.ts";
import type { Pod } from "../pod.ts";
import { get } from "./get.ts";
import { list, type Listed } from "./list.ts";
import { join, placeOf, refusalsInTurn, showName, wordOf, type PodPath } from "./paths.ts";
import { begin, finish, type FileOptions } from "./programs.ts";
import type { TreeEntry } from "./tar.ts";

/** What of a tree may not be taken: fail, or leave it out and tell. */
export type TreeOptions = FileOptions & {
  /** Told of what is left out, like links that leave the tree. Without it, the first of them fails the whole: `path-refused`. */
  onSkip?: (name: Buffer, why: string) => void;
};

const together = { names: 256, bytes: 4_194_304, words: 65_536 };

/**
 * The tree in a pod's folder: small files several at a time, large ones as {@link get} does. A folder comes before what is in it.
 * Throws PodqError `conflict` if a file changes while it is read.
 */
export async function* readTree(pod: Pick<Pod, "exec">, path: PodPath, options: TreeOptions = {}): AsyncGenerator<TreeEntry> {
  const { isFolder, entries } = await list(pod, path, { ...options, recursive: true });
  if (!isFolder) throw new PodqError("path-refused", `${placeOf(path).shown}: is no folder`);
  let small: Listed[] = [];
  let sums = { bytes: 0, words: 0 };
  const refusalOfNext = refusalsInTurn();
  for (const entry of entries) {
    const { pathBytes: name, type, mode, modifiedAt, target, size } = entry;
    const named = refusalOfNext(name, type, type === "symlink" ? (target ?? name) : undefined);
    const refusal = type === "other" ? "is neither a file, a folder nor a link" : named;
    if (refusal !== null) skip(options, name, refusal);
    else if (type === "directory") yield { type, name, mode, modifiedAt };
    else if (type === "symlink") yield { type, name, mode, modifiedAt, target: target! };
    else if (size > together.bytes)
      yield { type: "file", name, mode, modifiedAt, size, content: () => getState(pod, path, entry, options) };
    else {
      const words = wordOf(name).length;
      if (small.length === together.names || sums.bytes + size > together.bytes || sums.words + words > together.words) {
        yield* readTogether(pod, path, small, options);
        [small, sums] = [[], { bytes: 0, words: 0 }];
      }
      small.push(entry);
      sums = { bytes: sums.bytes + size, words: sums.words + words };
    }
  }
  if (small.length > 0) yield* readTogether(pod, path, small, options);
}

/** Leaves out what may not be taken, if that is wanted. Throws PodqError `path-refused`. */
export function skip({ onSkip }: TreeOptions, name: Buffer, why: string): void {
  if (onSkip === undefined) throw new PodqError("path-refused", `${showName(name)}: ${why}`);
  onSkip(name, why);
}

async function* getState(pod: Pick<Pod, "exec">, path: PodPath, { pathBytes, size }: Listed, options: FileOptions): AsyncGenerator<Buffer> {
  const whole = join([Buffer.from(path as Uint8Array), pathBytes]);
  yield* get(pod, path.length === 0 ? pathBytes : whole, options, ({ bytes }) => {
    if (bytes !== size) throw new PodqError("conflict", `${showName(pathBytes)}: changed while the tree was read`);
  });
}

async function* readTogether(
  pod: Pick<Pod, "exec">,
  path: PodPath,
  files: readonly Listed[],
  options: FileOptions,
): AsyncGenerator<TreeEntry> {
  const { folder, name, shown } = placeOf(path);
  const args = [wordOf(folder), wordOf(name), ...files.map(({ pathBytes }) => wordOf(pathBytes))];
  const job = await begin(pod, "read", args, options, { maxOutputBytes: 2 * together.bytes });
  const { stdout, stderr } = await finish(job, shown, options.signal);
  void job.discardOutput().catch(() => undefined);
  const bytes = Buffer.from(stdout.buffer, stdout.byteOffset, stdout.byteLength);
  const said = stderr.text().split("\n");
  const states = said.filter((line) => line.includes(":"));
  // Before and behind the reading they were as they had been listed, so their sizes are what tells them apart.
  const same = files.every(({ id }, n) => states[n] === id && states[n + files.length] === id);
  const due = files.reduce((sum, { size }) => sum + size, 0);
  if (!same || bytes.byteLength !== due) throw new PodqError("conflict", `${shown}: a file changed while the tree was read`);
  if (!said.some((line) => line.startsWith(createHash("sha256").update(bytes).digest("hex"))))
    throw new PodqError("conflict", `${shown}: it did not arrive as it was sent`, { jobId: job.id });
  let at = 0;
  for (const { pathBytes, mode, modifiedAt, size } of files) {
    const content = bytes.subarray(at, (at += size));
    yield { type: "file", name: pathBytes, mode, modifiedAt, size, content: () => once(content) };
  }
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  if (bytes.byteLength > 0) yield bytes;
}
