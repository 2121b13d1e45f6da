// A pod that has no process left to give: the start fails after the claim.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createExecs, type Execs } from "./exec.ts";
import { eventually, LocalPod, sh, shells } from "./local-shell.ts";
import { begin, run } from "./testing.ts";

const target = { namespace: "n", pod: "p", podUid: "u" };
// A user that nobody else is: the kernel counts processes by user.
const uid = 61_000 + (process.pid % 4000);
const limit = 12;
const limited = ["setpriv", `--reuid=${uid}`, "--clear-groups", "prlimit", `--nproc=${limit}`, "--"];
const cannotLimit = unable(() => execFileSync(limited[0]!, [...limited.slice(1), "true"], { stdio: "ignore" }));

function unable(attempt: () => unknown): boolean {
  try {
    attempt();
    return false;
  } catch {
    return true;
  }
}

for (const shell of shells) {
  const why = shell.missing ?? (cannotLimit ? "limits by user need root, setpriv and prlimit" : undefined);
  describe.skipIf(why !== undefined)(`a pod without a process to spare, in ${shell.name}${why ? ` (${why})` : ""}`, () => {
    let pod: LocalPod;
    let execs: Execs;
    const crowd: ChildProcess[] = [];
    const disperse = (): void => crowd.splice(0).forEach((one) => one.kill("SIGKILL"));

    afterEach(async () => {
      disperse();
      await execs.close();
      await pod.stop();
    });

    it("trap: a failed fork starts nothing twice, and does not pass for a running command", async () => {
      pod = new LocalPod([...limited, ...shell.argv]);
      chmodSync(pod.dir, 0o755);
      chmodSync(pod.kept, 0o777);
      const starts = join(pod.kept, "starts");
      execs = createExecs({ open: pod.open, journalDirs: [pod.kept] });
      expect((await run(execs, target, { command: ["true"] })).outcome).toMatchObject({ kind: "ended", exitCode: 0 });
      for (let n = 0; n < limit + 2; n += 1) crowd.push(spawn("sleep", ["300"], { uid, stdio: "ignore" }));
      await Promise.all(crowd.map((one) => new Promise((resolve) => one.once("spawn", resolve))));
      const { outcome, request } = begin(execs, target, { command: sh(`echo x >>${starts}`), timeoutMs: 40_000 });
      const claim = join(pod.journal, `${request.jobId}.1.c`);
      let over = false;
      void outcome.then(() => (over = true));
      await eventually("it is claimed", () => over || (existsSync(claim) && readFileSync(claim, "utf8").startsWith("c ")));
      disperse();
      // A shell may try the fork again for a while, and then it starts after all. Otherwise nothing of it was, or ever will be. And
      // where the slot of the command before is not free yet, it is the fork for a new one that fails, ahead of the claim.
      const { kind, ...ended } = await outcome;
      const settled = "settled" in ended && ended.settled;
      const started = existsSync(starts) ? readFileSync(starts, "utf8") : "";
      expect([
        { kind: "ended", settled: false, started: "x\n" },
        { kind: "lost", settled: true, started: "" },
        { kind: "failed", settled: false, started: "" },
      ]).toContainEqual({ kind, settled, started });
      expect((await run(execs, target, { command: ["echo", "on"] })).stdout).toBe("on\n");
    });
  });
}
