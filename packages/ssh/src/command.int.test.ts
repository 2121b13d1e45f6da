import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SshError } from "./errors.ts";
import type { Pool } from "./pool.ts";
import { hostKinds, poolOn, runs, scriptWithPid, type TestHost, until } from "./testing.ts";

describe.each(hostKinds)("a command on $name", ({ missing, start }) => {
  let host: TestHost;
  let pool: Pool;

  beforeAll(async () => {
    if (missing) return;
    host = await start();
    pool = poolOn(host);
  });
  beforeEach(({ skip }) => {
    if (missing) skip(missing);
  });
  afterAll(async () => {
    await pool?.close({ graceMs: 0 });
    await host?.stop();
  });

  it("gets its argv as it is: no word is read by a shell on the way", async () => {
    const words = ["", " ", "it's", '"', "$(id)", "`id`", "$HOME", "a\nb", "*", "~", "\\", "a;b", "é😀", "-x", "A=b"];
    const done = await pool.run(["printf", "%s\\0", ...words]);
    expect(done.stdout.toString().split("\0").slice(0, -1)).toEqual(words);
  });

  it.each([
    ["exit 0", { code: 0, signal: null }],
    ["exit 3", { code: 3, signal: null }],
    ["exit 256", { code: 0, signal: null }],
    ["kill -9 $$", { code: null, signal: "SIGKILL" }],
    ["sh -c 'kill -9 $$'; exit $?", { code: 137, signal: null }],
  ])("that does `%s` ends with exactly that", async (text, ended) => {
    expect(await pool.run(["sh", "-c", text])).toMatchObject({ kind: "exit", ...ended });
  });

  it("that is not there exits with 127, one that is not executable with 126", async () => {
    expect(await pool.run(["podq-no-such-command"])).toMatchObject({ kind: "exit", code: 127 });
    expect(await pool.run(["/etc/passwd"])).toMatchObject({ kind: "exit", code: 126 });
  });

  it.each([[[]], [[""]], [["echo", "a\0b"]]])("with the argv %j is refused without asking the host", async (argv) => {
    expect(await pool.run(argv)).toMatchObject({ kind: "not-started", stopped: true });
  });

  it("gives back stdout and stderr apart, and gets the end of stdin without any given", async () => {
    const done = await pool.run(["sh", "-c", "cat; echo out; echo err >&2; exit 1"]);
    expect(done).toMatchObject({ kind: "exit", code: 1, stdout: Buffer.from("out\n"), stderr: Buffer.from("err\n") });
  });

  it("gets and gives 4 MiB byte by byte", async () => {
    const bytes = randomBytes(4 * 1024 * 1024);
    const done = await pool.run(["cat"], { stdin: bytes });
    expect(done.kind).toBe("exit");
    expect(done.stdout.equals(bytes)).toBe(true);
  });

  it("gives 3 MiB on both outputs at once byte by byte, though they share a window", async () => {
    const line = "0123456789abcdef0123456789abcde\n";
    const done = await pool.run(["sh", "-c", `yes ${line.trim()} | head -n 98304 >&2 & yes ${line.trim()} | head -n 98304; wait`]);
    const all = Buffer.from(line.repeat(98_304));
    expect([done.kind, done.stdout.equals(all), done.stderr.equals(all)]).toEqual(["exit", true, true]);
  });

  it("that leaves without reading its stdin has the exit that it has, whatever was still to be sent", async () => {
    expect(await pool.run(["sh", "-c", "exit 7"], { stdin: Buffer.alloc(5 * 1024 * 1024) })).toMatchObject({ kind: "exit", code: 7 });
  });

  it("has its exit though a child in the background still holds the outputs", async () => {
    const began = performance.now();
    const { argv, pid } = scriptWithPid(host, "sleep 20 & echo hi");
    expect(await pool.run(argv)).toMatchObject({ kind: "exit", code: 0, stdout: Buffer.from("hi\n") });
    expect(performance.now() - began).toBeLessThan(5000);
    expect(await pid()).toBeGreaterThan(0);
  });

  it("that writes more than may be collected is ended, and its result says so", async () => {
    const small = poolOn(host, { maxOutputBytes: 1000 });
    const { argv, pid } = scriptWithPid(host, "yes");
    const done = await small.run(argv);
    expect(done).toMatchObject({ kind: "aborted", stopped: true, message: expect.stringContaining("more than 1000 bytes") });
    expect(done).toHaveProperty("cause", expect.any(SshError));
    expect(done.stdout).toHaveLength(1000);
    expect(runs(await pid())).toBe(false);
    await small.close();
  });

  describe("whose time is over", () => {
    it.each([
      ["a silent one", "sleep 60"],
      ["one that ignores TERM", "trap '' TERM; while :; do sleep 1; done"],
      ["one whose child left its session", "setsid sleep 60; :"],
    ])("is ended on the host: %s", async (_what, text) => {
      const { argv, pid } = scriptWithPid(host, `echo partial; ${text}`);
      const done = await pool.run(argv, { timeoutMs: 700 });
      expect(done).toMatchObject({ kind: "timeout", stopped: true, stdout: Buffer.from("partial\n") });
      expect(runs(await pid())).toBe(false);
    });

    it("leaves the pool as it was, thirty times at once", async () => {
      const all = await Promise.all(Array.from({ length: 30 }, () => pool.run(["sleep", "60"], { timeoutMs: 400 })));
      expect(all.every((done) => done.kind === "timeout" && done.stopped)).toBe(true);
      expect(await pool.run(["true"])).toMatchObject({ kind: "exit", code: 0 });
      await until(() => pool.stats().commands.busy === 0, "all slots are free again");
    });
  });

  it("that is aborted while it runs is ended on the host, and the cause is the caller's", async () => {
    const abort = new AbortController();
    const { argv, pid } = scriptWithPid(host, "sleep 60");
    const running = pool.run(argv, { signal: abort.signal });
    const id = await pid();
    const reason = new Error("enough");
    abort.abort(reason);
    expect(await running).toMatchObject({ kind: "aborted", stopped: true, cause: reason });
    expect(runs(id)).toBe(false);
  });

  it("that is aborted in any moment of its start does not run on", async () => {
    const all = await Promise.all(
      Array.from({ length: 24 }, (_, n) => {
        const abort = new AbortController();
        setTimeout(() => abort.abort(), n * 6);
        return pool.run(scriptWithPid(host, "sleep 60").argv, { signal: abort.signal });
      }),
    );
    expect(all.map((done) => [done.kind, "stopped" in done && done.stopped])).toEqual(all.map(() => ["aborted", true]));
    const pids = readdirSync(host.folder).map((file) => Number(readFileSync(join(host.folder, file), "utf8")));
    expect(pids.filter(runs)).toEqual([]);
  });

  it("that was aborted before it was asked for never starts", async () => {
    expect(await pool.run(["true"], { signal: AbortSignal.abort() })).toMatchObject({ kind: "aborted", stopped: true });
  });
});
