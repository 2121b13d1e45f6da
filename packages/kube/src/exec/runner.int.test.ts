// The runner itself, in every shell it must work in, without any cluster: a shell behind pipes is all it needs. Each trap that
// was met while it was made has a test here.
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { endRun, LocalPod, plainCall, sh, shells, Talk } from "./local-shell.ts";
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

    describe("results", () => {
      it("reports exit codes, both streams and nothing else", async () => {
        expect(await talk.result({ argv: sh("echo out; echo err >&2; exit 3") })).toEqual({
          exitCode: 3,
          why: null,
          left: 0,
          stdout: "out\n",
          stderr: "err\n",
        });
        for (const code of [0, 1, 2, 126, 127, 128, 255]) expect((await talk.result({ argv: sh(`exit ${code}`) })).exitCode).toBe(code);
      });

      it("reports 128 + n for a death by each signal", async () => {
        // All that end a process by default. INT and QUIT have a test of their own.
        const deadly = Array.from({ length: 64 }, (_, i) => i + 1).filter(
          (n) => ![2, 3, 17, 18, 19, 20, 21, 22, 23, 28, 32, 33].includes(n),
        );
        const codes = await Promise.all(
          deadly.map(async (n) => (await talk.result({ argv: sh(`ulimit -c 0; kill -${n} $$; exit 1`) })).exitCode),
        );
        expect(codes).toEqual(deadly.map((n) => 128 + n));
      });

      it("says 127 for a command that is not there and 126 for one that may not be executed", async () => {
        expect((await talk.result({ argv: ["/no/such/command"] })).exitCode).toBe(127);
        expect((await talk.result({ argv: ["/etc/passwd"] })).exitCode).toBe(126);
      });

      it("keeps every byte value, in output and input", async () => {
        const bytes = Buffer.from(Array.from({ length: 4096 }, (_, i) => i % 256));
        const id = "bytes.1";
        talk.send(calls.put(id, 0, bytes.subarray(0, 1000)));
        talk.send(calls.put(id, 1000, bytes.subarray(1000)));
        talk.run({ id, inputBytes: bytes.length, argv: ["cat"] });
        const { inline } = await talk.frame("closed", id);
        expect(Buffer.concat(inline!.stdout.pieces).equals(bytes)).toBe(true);
      });

      it("does not start with less input than was announced", async () => {
        talk.send(calls.put("short.1", 0, Buffer.from("abc")));
        talk.run({ id: "short.1", inputBytes: 4, argv: ["touch", join(pod.dir, "started")] });
        expect(await talk.frame("error", "short.1")).toMatchObject({ why: "stdin" });
        expect(existsSync(join(pod.dir, "started"))).toBe(false);
      });

      it("trap: starts in the directory asked for, whatever CDPATH says, and refuses one that is not there", async () => {
        expect((await talk.result({ cwd: "/usr", argv: ["pwd"] })).stdout).toBe("/usr\n");
        expect((await talk.result({ argv: ["pwd"] })).stdout).toBe(`${pod.dir}\n`);
        const id = talk.run({ cwd: "/no/such", argv: ["true"] });
        expect(await talk.frame("error", id)).toMatchObject({ why: "cwd" });
        expect((await talk.state(id, () => true)).state).toEqual({ name: "error", why: "cwd" });
      });

      it("trap: shows what a running command wrote, by offset, though it fills no buffer", async () => {
        const id = talk.run({ argv: sh("printf 12345; printf abc >&2; sleep 5") });
        const { stdout, stderr } = await talk.state(id, ({ summary }) => summary.stdout.kept === 5 && summary.stderr.kept === 3, 100);
        expect([Buffer.concat(stdout.pieces).toString(), Buffer.concat(stderr.pieces).toString()]).toEqual(["12345", "abc"]);
        talk.send(calls.get(id, 2, 3, 2));
        const later = await talk.frame("state", id);
        expect([Buffer.concat(later.stdout.pieces).toString(), later.stdout.offset, later.stderr.length]).toEqual(["34", 2, 0]);
      });
    });

    describe("traps", () => {
      it("trap: a call that is cut off at any byte is not executed", async () => {
        const marker = join(pod.dir, "ran");
        const line = calls.run({ ...plainCall, id: "cut.1", argv: ["touch", marker, "b"] }).toString();
        for (const cut of [2, 3, 4, 8, line.length - line.indexOf("'touch'") - 7]) {
          const end = line.length - cut;
          const other = new Talk(pod);
          await other.frame("ready");
          other.send(line.slice(0, end));
          other.channel.stdin.end();
          await other.channel.ended;
          expect(existsSync(marker)).toBe(false);
          expect(existsSync(join(pod.journal, "cut.1.c"))).toBe(false);
        }
      });

      it("trap: /dev/stderr and /dev/stdout, opened anew by the command, do not truncate what it wrote", async () => {
        const { stdout, stderr } = await talk.result({
          argv: sh("echo 1; echo 2 >/dev/stdout; echo 3 >&2; echo 4 >/dev/stderr; echo 5 >/dev/stderr"),
        });
        expect([stdout, stderr]).toEqual(["1\n2\n", "3\n4\n5\n"]);
      });

      it("trap: without pings the session ends by itself, and its command goes on", async () => {
        const other = new Talk(pod, { idleS: 1 });
        await other.frame("ready");
        const id = other.run({ argv: sh("sleep 5; echo done") });
        await other.state(id, ({ state }) => state.name === "running");
        await other.channel.ended;
        expect((await talk.state(id, ({ state }) => state.name === "closed")).summary).toMatchObject({ exitCode: 0, stdout: { kept: 5 } });
      });

      it("trap: nothing of a session keeps its streams open, not even a running command", async () => {
        const id = talk.run({ argv: ["sleep", "30"] });
        await talk.state(id, ({ state }) => state.name === "running");
        talk.channel.stdin.end();
        const before = performance.now();
        await talk.channel.ended;
        expect(performance.now() - before).toBeLessThan(2000);
        expect(await endRun(pod, id)).toBe("gone");
      });

      it("trap: an id that is claimed is attached to, and the shell survives the failed claim", async () => {
        const id = talk.run({ argv: sh(`echo x >>${join(pod.dir, "starts")}`) });
        await talk.frame("closed", id);
        talk.run({ id, argv: sh(`echo x >>${join(pod.dir, "starts")}`) });
        expect(await talk.frame("claimed", id)).toBeDefined();
        expect((await talk.result({ argv: ["echo", "alive"] })).stdout).toBe("alive\n");
        expect(readFileSync(join(pod.dir, "starts"), "utf8")).toBe("x\n");
      });

      it("trap: a claim that cannot be written is no claim, on a full disk too", async () => {
        symlinkSync("/dev/full", join(pod.journal, "full.1.c"));
        talk.run({ id: "full.1", argv: ["touch", join(pod.dir, "ran")] });
        expect(await talk.frame("error", "full.1")).toMatchObject({ why: "noclaim" });
        expect((await talk.result({ argv: ["echo", "alive"] })).stdout).toBe("alive\n");
        expect(existsSync(join(pod.dir, "ran"))).toBe(false);
      });

      it("trap: a disk without room for as much as a claim stops no command", async () => {
        for (const name of ["o", "e"]) {
          symlinkSync("/dev/full", join(pod.journal, `crammed.1.${name}`));
          symlinkSync("/no/such/directory/file", join(pod.journal, `crammed.1.${name}.m`));
        }
        talk.run({ id: "crammed.1", argv: sh("head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; exit 8") });
        expect((await talk.frame("closed", "crammed.1")).summary).toMatchObject({ exitCode: 8, atLeast: true, stdout: { kept: 0 } });
        expect((await talk.result({ argv: ["echo", "alive"] })).stdout).toBe("alive\n");
      });

      it("trap: SIGINT and SIGQUIT work in the command, although it is started in the background", async () => {
        // Only GNU env can undo what `&` did, and a shell of applets does not reach it: there they stay ignored.
        const codes = shell.applets ? [1, 1] : [130, 131];
        expect((await talk.result({ argv: sh("kill -INT $$; exit 1") })).exitCode).toBe(codes[0]);
        expect((await talk.result({ argv: sh("ulimit -c 0; kill -QUIT $$; exit 1") })).exitCode).toBe(codes[1]);
      });

      it("trap: SIGPIPE is not ignored in the command", async () => {
        const { exitCode } = await talk.result({ argv: ["bash", "-c", "yes | head -n 1 >/dev/null; exit ${PIPESTATUS[0]}"] });
        expect(exitCode).toBe(141);
      });

      it("trap: variables that are special to a shell, and names that no shell takes, reach the command as they are", async () => {
        const env = [
          ["OPTIND", "abc"],
          ["UID", "x"],
          ["IFS", "e"],
          ["RANDOM", "r"],
          ["PS4", "$(id)"],
          ["odd.name", "o"],
          ["q_id", "mine"],
        ] as const;
        const { stdout } = await talk.result({ env, argv: ["env"] });
        expect(stdout.split("\n")).toEqual(expect.arrayContaining(env.map(([name, value]) => `${name}=${value}`)));
        expect((await talk.result({ argv: ["echo", "alive"] })).stdout).toBe("alive\n");
      });

      it("trap: a variable that the image exports keeps its value, and the command sees one variable of ours", async () => {
        await pod.stop();
        const names = ["id", "i", "n", "x", "dir", "state", "token", "why", "CDPATH"];
        const env = Object.fromEntries(names.map((name) => [name, "image's"]));
        pod = new LocalPod(shell.argv, { PATH: process.env.PATH, ...env, CDPATH: "/usr" });
        talk = new Talk(pod);
        await talk.frame("ready");
        await talk.result({ argv: ["true"] });
        const { stdout } = await talk.result({ cwd: "/usr", argv: ["env"] });
        const seen = stdout.split("\n").filter((line) => line !== "" && !/^(PWD|OLDPWD|SHLVL|_)=/.test(line));
        const expected = [`PATH=${process.env.PATH}`, ...names.map((name) => `${name}=${name === "CDPATH" ? "/usr" : "image's"}`)];
        expect(seen.filter((line) => !line.startsWith("PODQ_RUN=")).toSorted()).toEqual(expected.toSorted());
        expect(seen.filter((line) => line.startsWith("PODQ_RUN="))).toHaveLength(1);
      });

      it("trap: a first word with an equals sign is a command, not an assignment", async () => {
        expect((await talk.result({ argv: ["a=b", "true"], env: [["X", "1"]] })).exitCode).toBe(127);
        expect((await talk.result({ argv: ["-v", "true"], env: [["X", "1"]] })).exitCode).toBe(127);
      });

      it("trap: a frame goes to the client, wherever the main shell's output points at that moment", async () => {
        // While a shell executes `echo >FILE` its standard output is that file, for whoever opens it through /proc as well.
        const ids = Array.from({ length: 100 }, (_, i) => {
          for (let n = 0; n < 10; n += 1) talk.send(calls.ping(n));
          return talk.run({ argv: ["echo", String(i)] });
        });
        for (const [i, id] of ids.entries()) {
          const { inline } = await talk.frame("closed", id);
          expect(Buffer.concat(inline?.stdout.pieces ?? []).toString()).toBe(`${i}\n`);
        }
      });

      it("trap: the output cap leaves no core file in the command's directory", async () => {
        const cwd = join(pod.dir, "work");
        mkdirSync(cwd);
        const id = talk.run({ cwd, capBytes: 512, argv: sh("yes | head -c 100000") });
        await talk.frame("closed", id);
        expect(readdirSync(cwd)).toEqual([]);
      });
    });
  });
}
