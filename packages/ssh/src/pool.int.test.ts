import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Exit, Failure } from "./outcome.ts";
import type { PoolOptions } from "./pool.ts";
import { hostKinds, poolOn, runs, scriptWithPid, type TestHost, until } from "./testing.ts";

function succeeded(all: (Exit | Failure)[]): number {
  return all.filter((done) => done.kind === "exit" && done.code === 0).length;
}

describe.each(hostKinds)("a pool on $name", ({ missing, start }) => {
  let host: TestHost;
  let pools: ReturnType<typeof poolOn>[] = [];

  beforeAll(async () => {
    if (!missing) host = await start();
  });
  beforeEach(({ skip }) => {
    if (missing) skip(missing);
  });
  afterEach(async () => {
    await Promise.all(pools.map((pool) => pool.close({ graceMs: 0 })));
    pools = [];
  });
  afterAll(() => host?.stop());

  const make = (options: Partial<PoolOptions> = {}, on = host): ReturnType<typeof poolOn> => {
    const pool = poolOn(on, options);
    pools.push(pool);
    return pool;
  };

  it("dials at the first use and not before, and one connection is enough for five commands", async () => {
    const before = host.proxy.total();
    const pool = make();
    expect(host.proxy.total()).toBe(before);
    expect(succeeded(await Promise.all(Array.from({ length: 5 }, () => pool.run(["sleep", "0.2"]))))).toBe(5);
    expect(host.proxy.total()).toBe(before + 1);
    expect(pool.stats().channels.connections).toBe(0);
  });

  it("goes no further than its bounds, and serves all that wait", async () => {
    const pool = make({ commands: { connections: 2, channels: 3 } });
    const go = join(host.folder, "go");
    const all = Promise.all(Array.from({ length: 40 }, () => pool.run(["sh", "-c", `until [ -e ${go} ]; do sleep 0.05; done`])));
    await until(() => pool.stats().commands.busy === 6, "all six slots are in use");
    expect(pool.stats().commands).toMatchObject({ connections: 2, busy: 6, waiting: 34 });
    writeFileSync(go, "");
    expect(succeeded(await all)).toBe(40);
    expect(pool.stats().commands.dials).toBe(2);
  });

  it("has no session refused though it fills each slot again as soon as it may", async () => {
    const pool = make();
    expect(succeeded(await Promise.all(Array.from({ length: 150 }, () => pool.run(["true"]))))).toBe(150);
    expect(pool.events).not.toContain("refused");
  });

  it("starts each command once on a host that lets in fewer sessions than thought", async () => {
    const narrow = await start({ maxSessions: 2 });
    const pool = make({ commands: { connections: 2, channels: 8 } }, narrow);
    const all = await Promise.all(
      Array.from({ length: 24 }, (_, n) => pool.run(["sh", "-c", `echo ${n} >> ${narrow.folder}/ran; sleep 0.1`])),
    );
    expect(succeeded(all)).toBe(24);
    const ran = await pool.run(["sort", "-n", `${narrow.folder}/ran`]);
    expect(ran.stdout.toString().trim().split("\n")).toEqual(Array.from({ length: 24 }, (_, n) => String(n)));
    expect(pool.events).toContain("refused");
    await pool.close();
    await narrow.stop();
  });

  it("holds channels on connections of their own, so that sessions never stand in the way of commands", async () => {
    const pool = make({ channels: { connections: 1, channels: 2 } });
    const held = await Promise.all([pool.open(["cat"]), pool.open(["cat"])]);
    expect(held.map((opened) => opened.kind)).toEqual(["open", "open"]);
    expect(await pool.open(["cat"], { timeoutMs: 100 })).toMatchObject({ kind: "timeout", stopped: true });
    expect(await pool.run(["true"])).toMatchObject({ kind: "exit" });
    expect(pool.stats()).toMatchObject({ channels: { connections: 1, busy: 2 }, commands: { connections: 1 } });
  });

  const full = async (waiting = 1000): Promise<ReturnType<typeof poolOn>> => {
    const pool = make({ commands: { connections: 1, channels: 1 }, waiting });
    void pool.run(["sleep", "60"]);
    await until(() => pool.stats().commands.busy === 1, "the slot is taken");
    return pool;
  };

  describe("with its slots taken", () => {
    it("gives up on a command whose time is over while it waits; it never ran", async () => {
      const pool = await full();
      const { argv } = scriptWithPid(host, "");
      expect(await pool.run(argv, { timeoutMs: 100 })).toMatchObject({ kind: "timeout", stopped: true });
      expect(pool.stats().commands.waiting).toBe(0);
    });

    it("gives up on a command whose caller aborts while it waits; it never ran", async () => {
      const pool = await full();
      expect(await pool.run(["true"], { signal: AbortSignal.timeout(50) })).toMatchObject({ kind: "aborted", stopped: true });
      expect(pool.stats().commands.waiting).toBe(0);
    });

    it("takes no more waiting commands than its bound", async () => {
      const pool = await full(2);
      const [first, second] = [pool.run(["true"]), pool.run(["true"])];
      expect(await pool.run(["true"])).toMatchObject({
        kind: "not-started",
        stopped: true,
        message: expect.stringContaining("waiting already"),
      });
      await pool.close({ graceMs: 0 });
      expect((await Promise.all([first, second])).map((done) => done.kind)).toEqual(["closed", "closed"]);
    });

    it("serves in the order of the calls", async () => {
      const pool = make({ commands: { connections: 1, channels: 1 } });
      const order: number[] = [];
      await Promise.all(Array.from({ length: 8 }, (_, n) => pool.run(["true"]).then(() => order.push(n))));
      expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    });
  });

  it("lets go of a connection that is idle, and dials again when needed", async () => {
    const pool = make({ idleMs: 100 });
    await pool.run(["true"]);
    await until(() => pool.stats().commands.connections === 0, "the connection is closed");
    expect(pool.events).toEqual(["connected", "retired"]);
    expect(await pool.run(["true"])).toMatchObject({ kind: "exit", code: 0 });
  });

  it("takes an old connection out of use without harm to what runs on it", async () => {
    const pool = make({ maxAgeMs: 100, commands: { connections: 1, channels: 5 } });
    const long = pool.run(["sleep", "1.5"]);
    await until(() => pool.events.includes("retired"), "the connection is retired");
    expect(await pool.run(["true"])).toMatchObject({ kind: "exit", code: 0 });
    expect(pool.stats().commands.dials).toBeGreaterThan(1);
    expect(await long).toMatchObject({ kind: "exit", code: 0 });
    expect(pool.events).not.toContain("lost");
  });

  describe("that is closed", () => {
    it("lets what runs come to its end, and takes nothing new", async () => {
      const pool = make();
      const running = pool.run(["sh", "-c", "sleep 0.5; echo done"]);
      await until(() => pool.stats().commands.busy === 1, "it runs");
      const closed = pool.close({ graceMs: 5000 });
      expect(await pool.run(["true"])).toMatchObject({ kind: "closed", stopped: true });
      expect(await pool.open(["cat"])).toMatchObject({ kind: "closed" });
      await closed;
      expect(await running).toMatchObject({ kind: "exit", code: 0, stdout: Buffer.from("done\n") });
      expect(pool.stats()).toMatchObject({ commands: { connections: 0 }, channels: { connections: 0 } });
    });

    it("ends on the host what is not done after the grace", async () => {
      const pool = make();
      const [command, session] = [scriptWithPid(host, "sleep 60"), scriptWithPid(host, "exec sleep 60")];
      const running = pool.run(command.argv);
      const opened = await pool.open(session.argv);
      const pids = await Promise.all([command.pid(), session.pid()]);
      await pool.close({ graceMs: 50 });
      expect(await running).toMatchObject({ kind: "closed", stopped: true });
      expect(opened.kind === "open" && (await opened.channel.ended)).toMatchObject({ kind: "closed", stopped: true });
      expect(pids.filter(runs)).toEqual([]);
    });

    it("leaves no connection behind, and says the same when it is closed again", async () => {
      const pool = make();
      await Promise.all([pool.run(["true"]), pool.open(["true"])]);
      await Promise.all([pool.close(), pool.close()]);
      await until(() => host.proxy.open() === 0, "no connection is left");
      expect(pool.stats()).toMatchObject({ commands: { connections: 0, busy: 0 }, channels: { connections: 0 } });
    });

    it("closes also when it never dialled", async () => {
      expect(await make().close()).toBeUndefined();
    });
  });
});
