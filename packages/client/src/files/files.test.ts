import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Pod } from "../pod.ts";
import { filesOf } from "./files.ts";

it("a file that cannot be opened fails its transfer, however late the source is asked for", async () => {
  const dir = await mkdtemp(join(tmpdir(), "podq-files-"));
  const socket = createServer().listen(join(dir, "socket")); // nobody opens one as a file, root neither
  try {
    await once(socket, "listening");
    const pod = {
      exec: async (_: unknown, { stdin }: { stdin: AsyncIterable<Uint8Array> }) => {
        for (let n = 0; n < 100; n++) await stat(dir); // an open that was begun before has ended by then
        await Array.fromAsync(stdin);
      },
    } as unknown as Pod;
    await expect(filesOf(pod).putFile(join(dir, "socket"), "x")).rejects.toMatchObject({ code: "ENXIO" });
  } finally {
    socket.close();
    await rm(dir, { recursive: true, force: true });
  }
});

it.each([
  ["a folder whose one entry has its name", "folder\n", true],
  ["a file", "", false],
])("%s is told by what the pod says it is", async (_, said, isFolder) => {
  const result = { exitCode: 0, stdout: Buffer.from("1\n./x\x0081a4 5 1 i\n\0"), stderr: { text: () => said } };
  const pod = { exec: async () => ({ result: async () => result, discardOutput: async () => undefined }) } as unknown as Pod;
  expect(await filesOf(pod).isFolder("x")).toBe(isFolder);
});
