import { once } from "node:events";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Channel } from "./outcome.ts";
import type { Pool } from "./pool.ts";
import { hostKinds, poolOn, runs, scriptWithPid, type TestHost, until } from "./testing.ts";

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(stream)).toString();
}

describe.each(hostKinds)("a held channel on $name", ({ missing, start }) => {
  let host: TestHost;
  let pool: Pool;

  beforeAll(async () => {
    if (missing) return;
    host = await start();
    pool = poolOn(host, { keepaliveMs: 300 });
  });
  beforeEach(({ skip }) => {
    if (missing) skip(missing);
  });
  afterAll(async () => {
    await pool?.close({ graceMs: 0 });
    await host?.stop();
  });

  const open = async (argv: string[]): Promise<Channel> => {
    const opened = await pool.open(argv);
    if (opened.kind !== "open") throw new Error(opened.message);
    return opened.channel;
  };

  it("talks in both directions, and ends with the command's own exit", async () => {
    const channel = await open(["sh", "-c", "read line; echo got $line; echo err >&2; exit 4"]);
    channel.stdin.end("this\n");
    expect(await Promise.all([text(channel.stdout), text(channel.stderr)])).toEqual(["got this\n", "err\n"]);
    expect(await channel.ended).toMatchObject({ kind: "exit", code: 4, stdout: Buffer.alloc(0) });
  });

  it("answers at once, without waiting for small writes to gather", async () => {
    const channel = await open(["cat"]);
    channel.stderr.resume();
    const times: number[] = [];
    for (let n = 0; n < 21; n += 1) {
      const began = performance.now();
      channel.stdin.write("x");
      await once(channel.stdout, "data");
      times.push(performance.now() - began);
    }
    channel.stdin.end();
    // The median: the first waits for the shell to start. Each would take 40 ms and more if either side gathered.
    expect(times.sort((a, b) => a - b)[10]).toBeLessThan(30);
    expect(await channel.ended).toMatchObject({ kind: "exit", code: 0 });
  });

  it("loses nothing while its reader is slow, long after the command's exit", async () => {
    const channel = await open(["sh", "-c", "head -c 5000000 /dev/zero; exit 5"]);
    channel.stderr.resume();
    let bytes = 0;
    let pauses = 0;
    channel.stdout.on("data", (piece: Buffer) => {
      bytes += piece.length;
      if (bytes < pauses * 1_000_000) return;
      pauses += 1;
      channel.stdout.pause();
      setTimeout(() => channel.stdout.resume(), 700); // more than a lingering channel is given
    });
    expect(await channel.ended).toMatchObject({ kind: "exit", code: 5 });
    expect(bytes).toBe(5_000_000);
  });

  it("has all of stderr when it ends, also for a reader that iterates", async () => {
    for (let n = 0; n < 20; n += 1) {
      const channel = await open(["sh", "-c", "echo out; head -c 30000 /dev/zero >&2"]);
      const [, stderr] = await Promise.all([text(channel.stdout), text(channel.stderr), channel.ended]);
      expect(stderr).toHaveLength(30_000);
    }
  });

  it("takes writes after the command has left, without an error and without waiting for ever", async () => {
    const channel = await open(["true"]);
    channel.stdout.resume();
    channel.stderr.resume();
    await channel.ended;
    const errors = [];
    errors.push(await new Promise((resolve) => channel.stdin.write(Buffer.alloc(3_000_000), resolve)));
    channel.stdin.end("more");
    errors.push(await once(channel.stdin, "finish"));
    expect(errors).toEqual([null, []]);
  });

  it("ends a silent command when it is closed", async () => {
    const { argv, pid } = scriptWithPid(host, "exec sleep 60");
    const channel = await open(argv);
    const id = await pid();
    channel.close();
    expect(await channel.ended).toMatchObject({ kind: "aborted", stopped: true });
    expect(runs(id)).toBe(false);
  });

  it("gives its readers a plain end when it is closed, and its place back", async () => {
    const channel = await open(["sh", "-c", "echo first; sleep 60"]);
    const reading = text(channel.stdout);
    channel.stderr.resume();
    channel.close();
    expect("first\n").toContain(await reading);
    await channel.ended;
    await until(() => pool.stats().channels.busy === 0, "the slot is free again");
  });

  it("can be closed though nobody reads it", async () => {
    const channel = await open(["yes"]);
    channel.close();
    expect(await channel.ended).toMatchObject({ kind: "aborted", stopped: true });
  });

  it("keeps the exit that is known when only a child still holds the outputs", async () => {
    const channel = await open(["sh", "-c", "while sleep 0.1; do echo; done & exit 6"]);
    channel.stderr.resume();
    await once(channel.stdout, "data");
    channel.stdout.resume();
    for (let n = 0; n < 5; n += 1) await once(channel.stdout, "data"); // written after the exit, and more than once
    channel.close();
    expect(await channel.ended).toMatchObject({ kind: "exit", code: 6 });
  });

  it("that is cut ends as unknown, never as an exit, and its command is ended when the host is next reached", async () => {
    const { argv, pid } = scriptWithPid(host, "exec sleep 60");
    const channel = await open(argv);
    const id = await pid();
    channel.stdout.resume();
    channel.stderr.resume();
    host.proxy.cut();
    expect(await channel.ended).toMatchObject({ kind: "unknown", stopped: false });
    await pool.run(["true"]);
    await until(() => !runs(id), "the command is gone");
  });

  it("that falls silent is given up, while its writer is not kept waiting", async () => {
    const channel = await open(["cat"]);
    channel.stdout.resume();
    channel.stderr.resume();
    host.proxy.stall();
    const written = new Promise((resolve) => channel.stdin.write(Buffer.alloc(4_000_000), resolve));
    expect(await channel.ended).toMatchObject({ kind: "unknown" });
    await written;
    host.proxy.resume();
  });

  it("is not opened for a caller that gave up meanwhile, and what was started is ended", async () => {
    const { argv, pid } = scriptWithPid(host, "exec sleep 60");
    const opened = await pool.open(argv, { signal: AbortSignal.timeout(3) });
    expect(opened).toMatchObject({ kind: "aborted", stopped: true });
    const left = await Promise.race([pid(), pool.run(["true"]).then(() => 0)]);
    expect(left === 0 || !runs(left)).toBe(true);
  });
});
