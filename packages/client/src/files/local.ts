import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, mkdir, open, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { dirname } from "node:path";
import { PodqError } from "../errors.ts";
import { join, refusalOf, refusalsInTurn, showName, split } from "./paths.ts";
import type { Transferred } from "./put.ts";
import type { TreeEntry } from "./tar.ts";
import { skip, type TreeOptions } from "./tree.ts";

/** The tree in a folder of this machine. A folder comes before what is in it. */
export async function* walkFolder(dir: string, options: TreeOptions = {}): AsyncGenerator<TreeEntry> {
  yield* walk(Buffer.from(dir), [], options);
}

async function* walk(top: Buffer, above: readonly Buffer[], options: TreeOptions): AsyncGenerator<TreeEntry> {
  const names = await readdir(join([top, ...above]), { encoding: "buffer" });
  for (const part of names.toSorted((a, b) => Buffer.compare(a, b))) {
    const parts = [...above, part];
    const name = join(parts);
    const path = join([top, name]);
    const found = await lstat(path);
    const shared = { name, mode: found.mode & 0o7777, modifiedAt: found.mtime };
    const target = found.isSymbolicLink() ? await readlink(path, { encoding: "buffer" }) : undefined;
    const odd = !found.isFile() && !found.isDirectory() && target === undefined;
    const refusal = odd ? "is neither a file, a folder nor a link" : refusalOf(name, target);
    if (refusal !== null) skip(options, name, refusal);
    else if (target !== undefined) yield { ...shared, type: "symlink", target };
    else if (found.isFile()) yield { ...shared, type: "file", size: found.size, content: () => createReadStream(path) };
    else {
      yield { ...shared, type: "directory" };
      yield* walk(top, parts, options);
    }
  }
}

/** Writes a file beside its name, and gives it that when it is whole and on the disk. */
export async function writeFileWhole(file: string | Buffer, content: AsyncIterable<Uint8Array>, mode: () => number): Promise<Transferred> {
  const beside = Buffer.concat([Buffer.from(file as string), Buffer.from(`.podq-get-${randomBytes(8).toString("hex")}`)]);
  const hash = createHash("sha256");
  let bytes = 0;
  const handle = await open(beside, "wx", 0o600);
  try {
    try {
      for await (const piece of content) {
        hash.update(piece);
        bytes += piece.byteLength;
        await handle.writeFile(piece);
      }
      await handle.chmod(mode());
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  return { bytes, sha256: hash.digest("hex") };
}

/**
 * Writes a tree beside a folder of this machine, then gives it its name, or moves it into the folder that is there file by file.
 * Nothing is written through a link: those of the tree are made last and have nothing below them, and those that are there are not
 * followed.
 */
export async function writeFolder(dir: string, entries: AsyncIterable<TreeEntry>, options: TreeOptions = {}): Promise<void> {
  const to = Buffer.from(dir);
  const temporary = Buffer.from(`${dirname(dir)}/.podq-get-${randomBytes(8).toString("hex")}`);
  await mkdir(temporary, { mode: 0o700 });
  try {
    const links: { name: Buffer; target: Buffer }[] = [];
    const refusalOfNext = refusalsInTurn();
    for await (const entry of entries) {
      const { name, type } = entry;
      const refusal = refusalOfNext(name, type, type === "symlink" ? entry.target : undefined);
      if (refusal !== null) {
        skip(options, name, refusal);
        continue;
      }
      const path = join([temporary, ...split(name)]);
      if (type === "directory") await mkdir(path, { recursive: true, mode: (entry.mode & 0o777) | 0o700 });
      else if (type === "symlink") links.push({ name, target: entry.target });
      else await writeNew(path, entry.mode, entry.content());
    }
    for (const { name, target } of links) await symlink(target, join([temporary, ...split(name)]));
    await moveInto(temporary, to);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function writeNew(path: Buffer, mode: number, content: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(path, "wx", 0o600);
  try {
    for await (const piece of content) await handle.writeFile(piece);
    await handle.chmod(mode & 0o777);
  } finally {
    await handle.close();
  }
}

async function moveInto(from: Buffer, to: Buffer): Promise<void> {
  const there = await lstat(to).catch(() => null);
  if (there === null) return rename(from, to);
  if (!there.isDirectory()) throw new PodqError("path-refused", `${showName(to)}: is there, and no folder`);
  for (const name of await readdir(from, { encoding: "buffer" })) {
    const [source, target] = [join([from, name]), join([to, name])];
    const [here, beyond] = await Promise.all([lstat(source), lstat(target).catch(() => null)]);
    if (here.isDirectory()) {
      if (beyond !== null && !beyond.isDirectory()) throw new PodqError("path-refused", `${showName(target)}: is there, and no folder`);
      await moveInto(source, target);
    } else {
      if (beyond?.isDirectory()) throw new PodqError("path-refused", `${showName(target)}: is a folder`);
      await rename(source, target);
    }
  }
}
