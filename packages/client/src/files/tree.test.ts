import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Pod } from "../pod.ts";
import { writeFolder } from "./local.ts";
import { pack, type TreeEntry } from "./tar.ts";
import { readTree } from "./tree.ts";

const [mode, modifiedAt] = [0o755, new Date(0)];
const folder = (name: string): TreeEntry => ({ type: "directory", name: Buffer.from(name), mode, modifiedAt });
const link = (name: string, target: string): TreeEntry => ({
  type: "symlink",
  name: Buffer.from(name),
  target: Buffer.from(target),
  mode,
  modifiedAt,
});
const file = (name: string): TreeEntry => ({
  type: "file",
  name: Buffer.from(name),
  mode,
  modifiedAt,
  size: 0,
  content: async function* () {},
});
async function* each(entries: readonly TreeEntry[]): AsyncGenerator<TreeEntry> {
  yield* entries;
}

// What a pod may say, of which no folder is ever the source.
const hostile: [string, TreeEntry[]][] = [
  ["a link below a link", [link("a", "."), link("a/a/a/evil", "../../..")]],
  ["a folder below a link", [link("a", "."), folder("a/b")]],
  ["a file below a link", [link("a", "."), file("a/b")]],
  ["a file below a file", [file("a"), file("a/b")]],
  ["a link in place of a folder", [folder("a"), link("a", "."), file("a/b")]],
  ["a folder in place of a link, spelt otherwise", [link("a", "."), folder("a/."), file("a/b")]],
  ["a link whose name is a folder's already", [folder("a"), folder("a/b"), link("a/./b", ".")]],
  ["a file in a folder that it did not name", [file("a/b"), link("a", ".")]],
];

it.each(hostile)("a tree with %s is refused, and nothing of it is written", async (_, entries) => {
  const dir = await mkdtemp(join(tmpdir(), "podq-tree-"));
  try {
    await mkdir(join(dir, "a/b"), { recursive: true });
    await expect(writeFolder(join(dir, "a/b/to"), each(entries))).rejects.toMatchObject({ code: "path-refused" });
    expect((await readdir(dir, { recursive: true })).toSorted()).toEqual(["a", "a/b"]);
    await expect(Array.fromAsync(pack(each(entries)))).rejects.toMatchObject({ code: "path-refused" });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

it("what a pod lists below a link is refused as it is read, or left out and told", async () => {
  // Targets end in a dot of the program's own.
  const listed = "3\n./a\0./a/evil\0./d\0a1ff 1 0 x\na1ff 2 0 x\n41ed 0 0 x\n0 ..\x001 ...\0\0";
  const result = { exitCode: 0, stdout: Buffer.from(listed), stderr: { text: () => "folder\n" } };
  const pod = { exec: async () => ({ result: async () => result, discardOutput: async () => undefined }) } as unknown as Pod;
  await expect(Array.fromAsync(readTree(pod, ""))).rejects.toMatchObject({ code: "path-refused" });
  const left: string[] = [];
  const taken = await Array.fromAsync(readTree(pod, "", { onSkip: (name) => left.push(name.toString()) }));
  expect([taken.map(({ name }) => name.toString()), left]).toEqual([["a", "d"], ["a/evil"]]);
});
