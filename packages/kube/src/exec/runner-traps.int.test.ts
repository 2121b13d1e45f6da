// More of the traps that were met while the runner was made, in every shell, without any cluster: what tools say or do not say,
// what looks like an end and is none.
import { execFileSync } from "node:child_process";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { carrying, eventually, LocalPod, poorPod, sh, shells, Talk } from "./local-shell.ts";
import { calls } from "./protocol.ts";

const tool = (name: string): string =>
  execFileSync("sh", ["-c", `command -v ${name}`])
    .toString()
    .trim();

for (const shell of shells) {
  describe.skipIf(shell.missing !== undefined)(`the runner in ${shell.name}${shell.missing ? ` (${shell.missing})` : ""}`, () => {
    let pod: LocalPod;
    let talk: Talk;

    const inPod = async (made: LocalPod): Promise<void> => {
      await pod.stop();
      pod = made;
      talk = new Talk(pod);
      await talk.frame("ready");
    };

    beforeEach(async () => {
      pod = new LocalPod(shell.argv);
      talk = new Talk(pod);
      await talk.frame("ready");
    });
    afterEach(async () => pod.stop());

    it("trap: a code of 124, 137 or 143 is no time-out unless the runner's record says so", async () => {
      for (const code of [124, 137, 143])
        expect(await talk.result({ argv: sh(`exit ${code}`) })).toMatchObject({ exitCode: code, why: null });
      const id = talk.run({ graceMs: 100, argv: sh("trap 'exit 0' TERM; echo on; while :; do sleep 0.05; done") });
      await talk.state(id, ({ summary }) => summary.stdout.kept === 3);
      talk.send(calls.kill(id, "timeout", 100));
      expect((await talk.frame("closed", id)).summary.why).toBe("timeout");
    });

    it("trap: a zombie in the leader's group is neither left running nor waited for", async () => {
      const mark = `MARK=zombie${process.pid}x${shell.name.length}`;
      // Its parent never collects it, and has left the group and our environment.
      const zombie = `(sleep 0 & exec env -i ${mark} setsid sleep 30 >/dev/null 2>&1) &`;
      const { left } = await talk.result({ argv: sh(`${zombie} sleep 0.3`) });
      expect(left).toBe(0);
      const id = talk.run({ argv: sh(`${zombie} sleep 60`) });
      await eventually("both have left", () => carrying(mark) === 2);
      talk.send(calls.kill(id, "cancel", 0));
      expect(await talk.frame("killed", id, 8000)).toMatchObject({ what: "gone" });
      execFileSync("sh", ["-c", 'kill $(grep -l -- "$1" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3)', "sh", mark]);
    });

    it("trap: sizes and slices do not rest on what dd says of itself", async () => {
      await inPod(poorPod(shell.argv, [], { dd: `#!/bin/sh\nexec ${tool("dd")} "$@" 2>/dev/null\n` }));
      const { stdout } = await talk.result({ argv: sh("printf 12345; printf abc >&2") });
      expect(stdout).toBe("12345");
      const id = talk.run({ capBytes: 512, argv: sh("head -c 5000 /dev/zero; sleep 0.1; printf tail") });
      expect((await talk.frame("closed", id)).summary.stdout).toMatchObject({ kept: 512 });
    });

    it("trap: what ENV names is not read, and says nothing in between", async () => {
      const noise = join(pod.dir, "profile");
      writeFileSync(noise, "echo noise; exit 9\n");
      await inPod(new LocalPod(shell.argv, { PATH: process.env.PATH, ENV: noise, BASH_ENV: noise }));
      expect(await talk.result({ argv: ["echo", "on"] })).toMatchObject({ exitCode: 0, stdout: "on\n" });
    });

    it("trap: the pumps' locale is theirs, and the command has the image's", async () => {
      await inPod(new LocalPod(shell.argv, { PATH: process.env.PATH, LC_ALL: "POSIX" }));
      expect((await talk.result({ argv: sh("echo $LC_ALL") })).stdout).toBe("POSIX\n");
    });

    it("trap: an argument that the kernel does not take is an exit code, and the shell goes on", async () => {
      const { exitCode } = await talk.result({ argv: ["echo", "x".repeat(140_000)] });
      expect([126, 127]).toContain(exitCode);
      expect((await talk.result({ argv: ["echo", "x".repeat(130_000)] })).exitCode).toBe(0);
    });

    it("trap: an end that was recorded is the end, though the handler is gone when it is looked for", async () => {
      const id = talk.run({ argv: ["true"] });
      const { summary } = await talk.frame("closed", id);
      expect(summary.exitCode).toBe(0);
      appendFileSync(join(pod.journal, `${id}.c`), "h 999999\n");
      expect((await talk.state(id, () => true)).state).toEqual({ name: "closed" });
    });
  });
}
