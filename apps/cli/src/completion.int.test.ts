import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const podq = (...args: string[]): { status: number | null; stdout: string } =>
  spawnSync(process.execPath, [join(import.meta.dirname, "main.ts"), ...args], { encoding: "utf8" });

describe("completion", () => {
  it("is a script that bash understands", () => {
    const { status, stdout } = podq("completion", "bash");
    expect(status).toBe(0);
    expect(stdout).toContain("podq complete --");
    expect(spawnSync("bash", ["-n"], { input: stdout })).toMatchObject({ status: 0 });
  });

  it("knows commands, options and what an option may be", () => {
    expect(podq("complete", "--", "st").stdout).toMatch(/^stop\t.*\nstart\t.*\nstatus\t/);
    expect(podq("complete", "--", "create", "--on-i").stdout).toContain("--on-idle");
    expect(podq("complete", "--", "template", "").stdout).toContain("apply");
    expect(podq("complete", "--", "ls", "--status", "").stdout).toContain("running");
  });
});
