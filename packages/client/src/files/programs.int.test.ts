// The programs as shells run them, where a cluster could only show it by luck: what a tool says when the disk is full.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const common = readFileSync(new URL("./common.sh", import.meta.url), "utf8").replace(/^cd -P .*$/m, "");
const run = (shell: string, line: string): { status: number | null; stderr: string } =>
  spawnSync(shell, ["-c", `${common}\n${line}`], { encoding: "utf8" });

describe.each(["sh", "bash"])("in %s", (shell) => {
  it.each([
    ["cat: write error: No space left on device", "volume-full"],
    ["sh: can't create x: Quota exceeded", "volume-full"],
    ["mkdir: a: disk quota exceeded", "volume-full"],
    ["sh: cannot create x: Read-only file system", "volume-read-only"],
    ["mv: x: Permission denied", "path-refused"],
  ])("%j is told as %s", (said, code) => {
    expect(run(shell, `blame "${said}"`)).toMatchObject({ status: 97, stderr: `podq:${code}:${said}\n` });
  });

  it("a real full disk is told as one", () => {
    expect(run(shell, 'e=$( { echo x | cat >/dev/full; } 2>&1) || blame "$e"')).toMatchObject({
      status: 97,
      stderr: expect.stringContaining("podq:volume-full:") as string,
    });
  });

  it("a tool that is missing is named", () => {
    expect(run(shell, "need no-such-tool")).toMatchObject({
      status: 97,
      stderr: "podq:command-not-found:there is no no-such-tool in the pod's image\n",
    });
  });

  it("any name survives on its way, a newline at its end too", () => {
    expect(run(shell, String.raw`decode 'a\0134\0012\0012'; printf '%s' "$d" | od -An -tx1 >&2`).stderr.trim()).toBe("61 5c 0a 0a");
  });
});
