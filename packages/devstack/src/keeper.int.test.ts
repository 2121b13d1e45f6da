import { spawn } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { keep } from "./keeper.ts";
import { until } from "./until.ts";

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe("a kept process", () => {
  it("ends with its folder when it is told to", async () => {
    const dir = mkdtempSync(join(tmpdir(), "podq-keeper-"));
    const kept = await keep(["sleep", "1000"], { removeDir: dir });
    expect(alive(kept.pid)).toBe(true);
    await kept.end();
    expect(alive(kept.pid)).toBe(false);
    expect(existsSync(dir)).toBe(false);
    expect(await kept.exited).toBe(128 + 15);
  });

  it("tells its exit code and its last words when it ends by itself", async () => {
    const kept = await keep(["sh", "-c", "echo out; echo err >&2; exit 7"]);
    expect(await kept.exited).toBe(7);
    expect(kept.output()).toContain("out\n");
    expect(kept.output()).toContain("err\n");
    await kept.end();
  });

  it("does not outlive a parent that was killed", async () => {
    const dir = mkdtempSync(join(tmpdir(), "podq-keeper-"));
    const program = `
      const { keep } = await import(${JSON.stringify(join(import.meta.dirname, "keeper.ts"))});
      console.log((await keep(["sleep", "1000"], { removeDir: ${JSON.stringify(dir)}, signal: "KILL" })).pid);
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
    const pid = Number(await new Promise((resolve) => parent.stdout.setEncoding("utf8").once("data", resolve)));
    expect(alive(pid)).toBe(true);
    parent.kill("SIGKILL");
    await until("the process is gone", async () => (alive(pid) || existsSync(dir) ? undefined : true), { timeoutMs: 5000 });
  });

  it("is killed when TERM does not end it", { timeout: 15_000 }, async () => {
    const kept = await keep(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]);
    await until("it traps TERM", async () => kept.output().includes("ready") || undefined);
    await kept.end();
    expect(await kept.exited).toBe(128 + 9);
    expect(alive(kept.pid)).toBe(false);
  });
});
