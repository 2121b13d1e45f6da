import { describe, expect, it } from "vitest";
import { placeOf, refusalOf, showName, wordOf } from "./paths.ts";

const placed = (path: string | Uint8Array): [string, string] => {
  const { folder, name } = placeOf(path);
  return [folder.toString("latin1"), name.toString("latin1")];
};

describe("a path in a pod", () => {
  it.each<[string | Uint8Array, string, string]>([
    ["x", "", "x"],
    ["/workspace/x", "", "x"],
    ["//workspace//a/./b/", "a", "b"],
    ["", "", ""],
    ["/workspace", "", ""],
    [".", "", ""],
    ["a/...", "a", "..."],
    ["a/..b", "a", "..b"],
    ["-rf", "", "-rf"],
    ["a\nb/c ", "a\nb", "c "],
    [Buffer.from([0x61, 0x2f, 0xff]), "a", "\u00ff"],
  ])("%j is %j and %j", (path, folder, name) => {
    expect(placed(path)).toEqual([folder, name]);
  });

  it.each([
    "..",
    "a/..",
    "a/../b",
    "/workspace/../x",
    "/",
    "/etc",
    "/workspaces",
    "/workspace2/x",
    "a\0",
    "n".repeat(256),
    "a/".repeat(2_049),
  ])("%j is refused", (path) => {
    expect(() => placeOf(path)).toThrow(expect.objectContaining({ code: "path-refused" }) as Error);
  });
});

describe("a name in a tree", () => {
  it.each<[name: string, target: string | undefined, refused: boolean]>([
    ["a/b", undefined, false],
    ["..a/b..", undefined, false],
    ["/a", undefined, true],
    ["../a", undefined, true],
    ["a/../b", undefined, true],
    ["", undefined, true],
    ["./", undefined, true],
    ["l", "a", false],
    ["l", "a/b/c", false],
    ["a/l", "../b", false],
    ["a/l", "..", false],
    ["a/b/l", "../../c", false],
    ["l", "..", true],
    ["l", "../a", true],
    ["a/l", "../../b", true],
    ["l", "/etc/passwd", true],
    ["l", "", true],
    ["a/l", "b/../c", true], // b may be a link itself
    ["a/l", "../b/..", true],
  ])("%j with the target %j: refused is %j", (name, target, refused) => {
    expect(refusalOf(Buffer.from(name), target === undefined ? undefined : Buffer.from(target)) !== null).toBe(refused);
  });
});

it("any bytes are a word of ASCII, and a name for people is one line", () => {
  expect(wordOf(Buffer.from([0x61, 0x20, 0x5c, 0x0a, 0xff, 0x7e]))).toBe("a \\0134\\0012\\0377~");
  expect(showName(Buffer.from("é"))).toBe("é");
  expect(showName(Buffer.from([0x61, 0x0a]))).toBe("a\\0012");
  expect(showName(Buffer.from([0xff]))).toBe("\\0377");
});
