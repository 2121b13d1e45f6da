// A pod that has no process left to give: the start fails after the claim.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createExecs, type Execs } from "./exec.ts";
import { eventually, LocalPod, sh, shells } from "./local-shell.ts";
import { begin, run } from "./testing.ts";

const target = { namespace: "n", pod: "p", podUid: "u" };
const limit = 12;
// As a user that nobody else is: the kernel counts processes by user.
const limited = (uid: number): string[] => ["setpriv", `--reuid=${uid}`, "--clear-groups", "prlimit", `--nproc=${limit}`, "--"];
const firstUid = 100_000 + process.pid * shells.length;
const cannotLimit = unable(() => execFileSync("env", [...limited(firstUid), "true"], { stdio: "ignore" }));

function unable(attempt: () => unknown): boolean {
  try {
    attempt();
    return false;
  } catch {
    return true;
  }
}

for (const [index, shell] of shells.entries()) {
  const why = shell.missing ?? (cannotLimit ? "limits by user need root, setpriv and prlimit" : undefined);
  describe.skipIf(why !== undefined)(`a pod without a process to spare, in ${shell.name}${why ? ` (${why})` : ""}`, () => {
    let pod: LocalPod;
    let execs: Execs;
    const crowd: ChildProcess[] = [];
    const disperse = (): void => crowd.splice(0).forEach((one) => one.kill("SIGKILL"));
    const uid = firstUid + index;

    afterEach(async () => {
      disperse();
      await execs.close();
      await pod.stop();
    });

    it("trap: a failed fork starts nothing twice, and does not pass for a running command", async () => {
      pod = new LocalPod([...limited(uid), ...shell.argv]);
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
      const { kind } = await outcome;
      const started = existsSync(starts) ? readFileSync(starts, "utf8") : "";
      expect([
        { kind: "ended", started: "x\n" },
        { kind: "lost", started: "" },
        { kind: "failed", started: "" },
      ]).toContainEqual({ kind, started });
      expect((await run(execs, target, { command: ["echo", "on"] })).stdout).toBe("on\n");
    });
  });
}
