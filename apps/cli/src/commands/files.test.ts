import type { FileEntry, Files } from "@podq/client";
import { expect, it } from "vitest";
import { copyOut } from "./files.ts";

it.each([
  [true, "getTree"],
  [false, "getFile"],
])("what is copied out is a folder by what it is, not by the name of its one entry: %s is %s", async (isFolder, verb) => {
  const done: string[] = [];
  const files = {
    isFolder: async () => isFolder,
    list: async () => [{ path: "x", type: "file" } as FileEntry],
    getFile: async () => void done.push("getFile"),
    getTree: async () => void done.push("getTree"),
  } as unknown as Files;
  await copyOut(process, files, "dir/x", "./x", {}, {});
  expect(done).toEqual([verb]);
});
