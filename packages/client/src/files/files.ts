import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { InputStream } from "../feed.ts";
import type { Pod } from "../pod.ts";
import { get } from "./get.ts";
import { list, type FileEntry } from "./list.ts";
import { walkFolder, writeFileWhole, writeFolder } from "./local.ts";
import { placeOf, wordOf, type PodPath } from "./paths.ts";
import { begin, finish, type FileOptions } from "./programs.ts";
import { put, type PutOptions, type Transferred } from "./put.ts";
import { pack } from "./tar.ts";
import { readTree, type TreeOptions } from "./tree.ts";

/**
 * The files of a pod's /workspace. A path is absolute, or from there on; bytes where a name is no UTF-8. None of them leads out of
 * /workspace, by `..` or by a link: `path-refused`. A file is under its name when it is whole and its SHA-256 agrees, or not at all.
 * All of it is jobs, which share the pod with other parallel ones and wait for what is not. Methods throw PodqError, also
 * `not-found`, `conflict` (what was read changed meanwhile), `volume-full`, `volume-read-only`, and `command-not-found` for a tool
 * that the pod's image lacks: sha256sum, stat, dd, find, and tar for putTree.
 */
export type Files = {
  /** Writes a file: text, bytes, or any stream of them, of any length. Makes the folders on the way. */
  put: (path: PodPath, source: string | Uint8Array | InputStream, options?: PutOptions) => Promise<Transferred>;
  /** Reads a file, of any length, as it is at one moment. Each part of it was checked before the next one comes. */
  get: (path: PodPath, options?: FileOptions) => AsyncIterable<Buffer>;
  /** Writes a file of this machine, with its permissions. */
  putFile: (file: string, path: PodPath, options?: FileOptions) => Promise<Transferred>;
  /** Reads into a file of this machine, which has its name when it is whole. */
  getFile: (path: PodPath, file: string, options?: FileOptions) => Promise<Transferred>;
  /**
   * Writes what is in a folder of this machine into one of the pod: the whole folder at once if there is none yet, else file by file
   * into what is there, each at once. Needs room for it twice. Links must stay in the tree.
   */
  putTree: (dir: string, path: PodPath, options?: TreeOptions) => Promise<Transferred>;
  /** Reads what is in a folder into one of this machine, likewise. Each file is as it was at one moment. */
  getTree: (path: PodPath, dir: string, options?: TreeOptions) => Promise<void>;
  /** The same as a tar. */
  getTar: (path: PodPath, options?: TreeOptions) => AsyncIterable<Buffer>;
  /**
   * What is in a folder, with `recursive` all that is below it, in the order of the names' bytes; or the one file named. More than 50,000
   * entries, or 8 MiB of what the pod says of them, are `path-refused`, in trees that are read too.
   */
  list: (path?: PodPath, options?: FileOptions & { recursive?: boolean }) => Promise<FileEntry[]>;
  /** Whether a path is a folder, or a link to one, and not a file. */
  isFolder: (path: PodPath, options?: FileOptions) => Promise<boolean>;
  /** Removes a file, a link or an empty folder; with `recursive` a folder with all in it. False: there was none. */
  remove: (path: PodPath, options?: FileOptions & { recursive?: boolean }) => Promise<boolean>;
};

/** The files of a pod, by way of its execs. */
export function filesOf(pod: Pick<Pod, "exec">): Files {
  return {
    put: async (path, source, options) => put(pod, path, source, options),
    get: (path, options) => get(pod, path, options),
    async putFile(file, path, options) {
      const { mode } = await stat(file);
      // Opened when it is asked for: before, nobody listens for its error.
      const content = (async function* (): AsyncGenerator<Buffer> {
        yield* createReadStream(file, { highWaterMark: 1_048_576 }) as AsyncIterable<Buffer>;
      })();
      return put(pod, path, content, { ...options, mode: mode & 0o777 });
    },
    async getFile(path, file, options) {
      let mode = 0o644;
      const content = get(pod, path, options, (head) => (mode = head.mode & 0o777));
      return writeFileWhole(file, content, () => mode);
    },
    putTree: async (dir, path, options) => put(pod, path, pack(walkFolder(dir, options)), { ...options, kind: "tree" }),
    getTree: async (path, dir, options) => writeFolder(dir, readTree(pod, path, options), options),
    getTar: (path, options) => pack(readTree(pod, path, options)),
    list: async (path = "", options) => (await list(pod, path, options)).entries.map(({ id: _id, ...entry }) => entry),
    isFolder: async (path, options) => (await list(pod, path, options)).isFolder,
    async remove(path, { recursive = false, ...options } = {}) {
      const { folder, name, shown } = placeOf(path);
      const job = await begin(pod, "remove", [wordOf(folder), wordOf(name), recursive ? "all" : "1"], options);
      return (await finish(job, shown, options.signal)).stdout.text().trim() === "removed";
    },
  };
}
