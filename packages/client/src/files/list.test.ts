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
