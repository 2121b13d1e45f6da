// How runs end in the runner: at their cap, by a kill, by a fault. In every shell, without any cluster.
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { carrying, eventually, LocalPod, poorPod, sh, shells, Talk } from "./local-shell.ts";
import { calls } from "./protocol.ts";

for (const shell of shells) {
  describe.skipIf(shell.missing !== undefined)(`the runner in ${shell.name}${shell.missing ? ` (${shell.missing})` : ""}`, () => {
    let pod: LocalPod;
    let talk: Talk;

    beforeEach(async () => {
      pod = new LocalPod(shell.argv);
      talk = new Talk(pod);
      await talk.frame("ready");
    });
    afterEach(async () => {
      await pod.stop();
    });

    describe("cap", () => {
      it("keeps the head and the last 64 KiB, and goes on reading", async () => {
        const id = talk.run({ capBytes: 10_240, argv: sh("i=0; while [ $i -lt 60000 ]; do echo $i; i=$((i + 1)); done; echo e >&2") });
        const { summary } = await talk.frame("closed", id);
        const whole = Array.from({ length: 60_000 }, (_, i) => `${i}\n`).join("");
        expect(summary).toMatchObject({
          exitCode: 0,
          atLeast: true,
          stdout: { kept: 10_240, tail: 65_536 },
          stderr: { kept: 2, total: 2, tail: 0 },
        });
        expect(summary.stdout.total).toBeLessThanOrEqual(whole.length);
        talk.send(calls.get(id, 0, 0, 20_000));
        expect(Buffer.concat((await talk.frame("state", id)).stdout.pieces).toString()).toBe(whole.slice(0, 10_240));
        talk.send(calls.tail(id, "o"));
        expect(Buffer.concat((await talk.frame("tail", id)).slice.pieces).toString()).toBe(whole.slice(-65_536));
      });

      it("relieves a command that outgrows its cap while it runs, with nobody asking", async () => {
        const id = talk.run({ capBytes: 512, argv: sh("yes | head -c 3000000; echo over >&2; sleep 30") });
        await eventually(
          "the rest was read",
          () => existsSync(join(pod.journal, `${id}.e`)) && readFileSync(join(pod.journal, `${id}.e`), "utf8") === "over\n",
        );
        talk.send(calls.kill(id, "cancel", 0));
        expect((await talk.frame("closed", id)).summary).toMatchObject({
          why: "cancel",
          atLeast: true,
          stdout: { kept: 512, tail: 65_536 },
        });
      });

      it("counts exactly what stays below the cap", async () => {
        const id = talk.run({ capBytes: 1024, inlineBytes: 0, argv: sh("head -c 1024 /dev/zero") });
        expect((await talk.frame("closed", id)).summary).toMatchObject({ atLeast: false, stdout: { kept: 1024, total: 1024, tail: 0 } });
      });
    });

    describe("kill", () => {
      it("trap: ends a leader that ignores TERM, a child that left with setsid, and one without our environment", async () => {
        const token = `tree${process.pid}x${shell.name.length}`;
        const mark = `MARK=${token}`;
        const id = talk.run({
          token,
          argv: sh(`export ${mark}; trap "" TERM; setsid sleep 61 & env -i ${mark} sleep 62 & sleep 63 & while :; do sleep 1; done`),
        });
        await eventually("all have started", () => carrying(mark) >= 4);
        const before = performance.now();
        talk.send(calls.kill(id, "timeout", 300));
        expect(await talk.frame("killed", id)).toMatchObject({ what: "gone", pids: [] });
        expect(performance.now() - before).toBeGreaterThan(250);
        expect(carrying(mark)).toBe(0);
        expect((await talk.frame("closed", id)).summary).toMatchObject({ exitCode: 137, why: "timeout" });
      });

      it("is over only when children are gone that outlive the leader, and counts none of them", async () => {
        const mark = `MARK=late${process.pid}x${shell.name.length}`;
        const script = `export ${mark}; (trap "" TERM; exec >/dev/null 2>&1; sleep 64; sleep 65) & exec sleep 66`;
        const id = talk.run({ graceMs: 300, argv: sh(script) });
        await eventually("all have started", () => carrying(mark) >= 2);
        talk.send(calls.kill(id, "cancel", 300));
        expect((await talk.frame("closed", id)).summary).toMatchObject({ exitCode: 143, why: "cancel", left: 0 });
        expect(carrying(mark)).toBe(0);
      });

      it("trap: TERM reaches a group in shells that take no `kill --`, and the grace time is there to be used", async () => {
        const id = talk.run({ argv: sh("trap 'echo bye; exit 4' TERM; echo on; while :; do sleep 0.05; done") });
        await talk.state(id, ({ summary }) => summary.stdout.kept === 3);
        talk.send(calls.kill(id, "cancel", 5000));
        const { summary, inline } = await talk.frame("closed", id);
        expect(summary).toMatchObject({ exitCode: 4, why: "cancel" });
        expect(Buffer.concat(inline!.stdout.pieces).toString()).toBe("on\nbye\n");
      });

      it("makes unstartable what was never claimed, and lets be what is over", async () => {
        talk.send(calls.kill("never.1", "cancel", 0));
        expect(await talk.frame("killed", "never.1")).toMatchObject({ what: "never" });
        talk.run({ id: "never.1", argv: ["touch", join(pod.dir, "ran")] });
        await talk.frame("claimed", "never.1");
        expect((await talk.state("never.1", () => true)).state).toEqual({ name: "tomb" });
        const id = talk.run({ argv: ["true"] });
        await talk.frame("closed", id);
        talk.send(calls.kill(id, "cancel", 0));
        expect(await talk.frame("killed", id)).toMatchObject({ what: "over" });
        expect((await talk.state(id, () => true)).summary.why).toBeNull();
        expect(existsSync(join(pod.dir, "ran"))).toBe(false);
      });

      it("trap: keeps the deadline with nobody connected, by another session's watchdog too", async () => {
        const other = new Talk(pod);
        await other.frame("ready");
        const id = other.run({ deadlineS: 1, graceMs: 100, argv: ["sleep", "60"] });
        await other.state(id, ({ state }) => state.name === "running");
        other.cut();
        const { summary } = await talk.state(id, ({ state }) => state.name === "closed");
        expect(summary).toMatchObject({ exitCode: 143, why: "timeout" });
      });

      it("ends other runs before an exclusive one starts, and tombstones the named ones", async () => {
        const other = new Talk(pod);
        await other.frame("ready");
        const victim = other.run({ argv: sh(`trap 'sleep 0.3; echo late >>${pod.dir}/order; exit' TERM; while :; do sleep 0.05; done`) });
        await other.state(victim, ({ state }) => state.name === "running");
        await delay(100); // its trap is set some time after it runs; nothing shows when
        const { stdout } = await talk.result({
          alone: true,
          fence: ["ghost.1"],
          graceMs: 2000,
          argv: sh(`cat ${pod.dir}/order; echo next`),
        });
        expect(stdout).toBe("late\nnext\n");
        expect((await talk.state(victim, ({ state }) => state.name === "closed")).summary.why).toBe("fence");
        expect((await talk.state("ghost.1", () => true)).state).toEqual({ name: "tomb" });
      });

      it("lets background children of an ended run live beside an exclusive one", async () => {
        const id = talk.run({ argv: sh("sleep 7 & echo $!") });
        const { left } = await talk.frame("exited", id);
        expect(left).toBe(1);
        expect((await talk.result({ alone: true, argv: ["echo", "on"] })).stdout).toBe("on\n");
        const pid = readFileSync(join(pod.journal, `${id}.o`), "utf8").trim();
        expect(existsSync(`/proc/${pid}`)).toBe(true);
        process.kill(Number(pid));
        await talk.state(id, ({ state }) => state.name === "closed");
      });
    });

    describe("faults", () => {
      it("trap: calls a run lost whose handler died, and ends what is left of it", async () => {
        const id = talk.run({ argv: ["sleep", "60"] });
        await talk.state(id, ({ state }) => state.name === "running");
        await eventually("its leader is recorded", () => readFileSync(join(pod.journal, `${id}.c`), "utf8").includes("\np "));
        process.kill(Number(/^h (\d+)/m.exec(readFileSync(join(pod.journal, `${id}.c`), "utf8"))![1]), "SIGKILL");
        expect((await talk.state(id, ({ state }) => state.name === "lost")).state).toEqual({ name: "lost", why: "handler" });
        talk.send(calls.kill(id, "fence", 0));
        expect(await talk.frame("killed", id)).toMatchObject({ what: "gone" });
      });

      it("trap: calls a claim without a handler lost after 5 s: the fork failed", async () => {
        const { boot, uptimeMs } = await greeting(pod);
        const claim = (ageMs: number): string => `c ${boot} tok 1 1 1 none ${uptimeMs - ageMs}\n`;
        writeFileSync(join(pod.journal, "young.1.c"), claim(0));
        writeFileSync(join(pod.journal, "old.1.c"), claim(5001));
        expect((await talk.state("young.1", () => true)).state).toEqual({ name: "running" });
        expect((await talk.state("old.1", () => true)).state).toEqual({ name: "lost", why: "unstarted" });
      });

      it("trap: calls a run of an earlier start of the container lost, unless its end is recorded", async () => {
        writeFileSync(join(pod.journal, "before.1.c"), "c 1-other tok 1 1 1 none 1\nh 1 1\np 1 1 1 1\n");
        expect((await talk.state("before.1", () => true)).state).toEqual({ name: "lost", why: "boot" });
        appendFileSync(join(pod.journal, "before.1.c"), "x 5 0 9\n");
        expect(await talk.state("before.1", () => true)).toMatchObject({ state: { name: "exited" }, summary: { exitCode: 5 } });
      });

      it("trap: ends handlers that block in a frame nobody reads, once their session is dead", async () => {
        // The time without a ping is enough to start them all, also on a busy machine; twelve are more than the pipes hold.
        const deaf = new Talk(pod, { idleS: 4, reading: false });
        const ids = Array.from({ length: 12 }, () => deaf.run({ argv: sh("head -c 60000 /dev/zero") }));
        for (const id of ids) await talk.state(id, ({ state }) => state.name === "closed");
        // Two sessions; when the deaf one is over its watchdog takes its files away.
        const sessions = (): number => new Set(readdirSync(join(pod.journal, "f")).map((name) => name.split(".")[0])).size;
        await expect.poll(sessions, { timeout: 15_000 }).toBe(1);
      });

      it("does not start again what a journal may have forgotten that dies with the container", async () => {
        const other = new Talk(pod, { dirs: [join(pod.dir, "nothing"), pod.dir] });
        const { boot, kept } = await other.frame("ready");
        expect(kept).toBe(false);
        const touch = ["touch", join(pod.dir, "ran")];
        other.run({ id: "again.1", again: "unknown", argv: touch });
        expect(await other.frame("error", "again.1")).toMatchObject({ why: "forgotten" });
        other.run({ id: "again.2", again: { boot: "1-other" }, argv: touch });
        expect(await other.frame("error", "again.2")).toMatchObject({ why: "forgotten" });
        expect(existsSync(join(pod.dir, "ran"))).toBe(false);
        expect((await other.result({ id: "again.3", again: { boot }, argv: ["true"] })).exitCode).toBe(0);
      });

      it("goes on using the journal that is there, also when a better place has come up", async () => {
        const better = join(pod.dir, "better");
        mkdirSync(better);
        const other = new Talk(pod, { dirs: [better, pod.kept] });
        await other.frame("ready");
        const id = other.run({ argv: ["true"] });
        await other.frame("closed", id);
        expect(existsSync(join(pod.journal, `${id}.c`))).toBe(true);
      });

      it("says so when no directory can hold the journal", async () => {
        const other = new Talk(pod, { dirs: ["/no/such", "/proc"] });
        expect(await other.frame("refused")).toMatchObject({ why: "nodir" });
        await other.channel.ended;
      });

      it("trap: works without setsid and stat, and says what is weaker", async () => {
        await pod.stop();
        pod = poorPod(shell.argv, ["setsid", "stat", "tail", "head"]);
        talk = new Talk(pod);
        expect((await talk.frame("ready")).weaker).toEqual(shell.applets ? [] : ["setsid"]);
        expect((await talk.result({ argv: sh("echo one; echo two >&2; exit 6") })).exitCode).toBe(6);
        const id = talk.run({ argv: sh("sleep 60 & sleep 60") });
        await talk.state(id, ({ state }) => state.name === "running");
        await delay(100); // until both have executed; before that they carry no token
        talk.send(calls.kill(id, "cancel", 500));
        expect(await talk.frame("killed", id)).toMatchObject({ what: "gone" });
      });

      it("trap: reads by offset with a dd that knows no skip_bytes", async () => {
        await pod.stop();
        const real = execFileSync("sh", ["-c", "command -v dd"]).toString().trim();
        pod = poorPod(shell.argv, [], { dd: `#!/bin/sh\ncase "$*" in *iflag*) exit 1 ;; esac\nexec ${real} "$@"\n` });
        talk = new Talk(pod);
        await talk.frame("ready");
        const id = talk.run({ inlineBytes: 0, argv: sh("i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i + 1)); done") });
        await talk.frame("closed", id);
        const whole = Array.from({ length: 3000 }, (_, i) => `${i}\n`).join("");
        talk.send(calls.get(id, 7001, 0, 4000));
        expect(Buffer.concat((await talk.frame("state", id)).stdout.pieces).toString()).toBe(whole.slice(7001, 11_001));
      });

      it("deletes outputs on request, and keeps the claim", async () => {
        const id = talk.run({ argv: ["echo", "x"] });
        await talk.frame("closed", id);
        talk.send(calls.forget([id]));
        talk.send(calls.ping(1));
        await talk.frame("state", (talk.send(calls.get(id, 0, 0, 0)), id));
        expect(readdirSync(pod.journal).filter((name) => name.startsWith(`${id}.`))).toEqual([`${id}.c`]);
      });
    });
  });
}

async function greeting(pod: LocalPod): Promise<{ boot: string; uptimeMs: number }> {
  return new Talk(pod).frame("ready");
}
