import { expect, it } from "vitest";
import { parseList } from "./list.ts";

it("batches of names, their lines and the targets of links are put together, and what went away is left out", () => {
  const first = "3\n./a\n1\0./gone\0./l\x0081a4 5 1700000000 1:2:5:3:4\n-\na1ff 3 1700000001 1:3:3:3:4\n2 ../x\n.\0\0";
  const second = "1\n./d\x0041ed 4096 1700000002 1:4:4096:3:4\n\0";
  expect(parseList(Buffer.from(first + second))).toEqual([
    { path: "a\\00121", pathBytes: Buffer.from("a\n1"), type: "file", size: 5, mode: 0o644, modifiedAt: new Date(1.7e12), id: "1:2:5:3:4" },
    expect.objectContaining({ path: "l", type: "symlink", target: Buffer.from("../x\n") }),
    expect.objectContaining({ path: "d", type: "directory", mode: 0o755 }),
  ]);
  expect(parseList(Buffer.alloc(0))).toEqual([]);
});

it.each(["1\n./a", "1\n./a\0", "1\n./a\x0081a4 5 1 x\n"])("a list that ends in its middle is none: %j", (text) => {
  expect(() => parseList(Buffer.from(text))).toThrow(/ends in its middle/);
});

it.each([
  ["more names than the bytes that are left can hold", "9999999999\n./a\0-\n\0"],
  ["more names than any number", "1e999\n./a\0-\n\0"],
  ["less than one name", "0\n\0"],
  ["a number that is none", "x\n./a\0-\n\0"],
])("a batch of %s is refused before room is made for it", (_, text) => {
  expect(() => parseList(Buffer.from(text))).toThrow(expect.objectContaining({ code: "internal" }) as Error);
});

it.each([
  ["an empty name", "1\n\x0081a4 5 1 x\n\0"],
  ["the folder's own name", "1\n./\x0081a4 5 1 x\n\0"],
  ["a name longer than a path can be", `1\n${"n".repeat(4_097)}\x0081a4 5 1 x\n\0`],
  ["the target of a link that is not in it", "1\n./a\x00a1ff 5 1 x\n1 b.\0\0"],
  ["a target of no number", "1\n./a\x00a1ff 5 1 x\nb.\0\0"],
])("a list with %s is none", (_, text) => {
  expect(() => parseList(Buffer.from(text))).toThrow(expect.objectContaining({ code: "internal" }) as Error);
});

it("a list of NULs alone, as long as one may be, costs nothing", () => {
  const bytes = Buffer.concat([Buffer.from("1000000\n"), Buffer.alloc(8_388_600)]);
  expect(() => parseList(bytes)).toThrow(/podq lists at most 50000/);
});

it("50,000 entries are listed, and one more is a named error", () => {
  const one = "1\n./a\x0081a4 5 1 x\n\0";
  expect(parseList(Buffer.from(one.repeat(50_000)))).toHaveLength(50_000);
  expect(() => parseList(Buffer.from(one.repeat(50_001)))).toThrow(
    expect.objectContaining({ code: "path-refused", message: expect.stringContaining("at most 50000 entries") as string }) as Error,
  );
});
