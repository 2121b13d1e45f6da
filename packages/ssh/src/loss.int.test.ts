import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PoolOptions } from "./pool.ts";
import { hostKinds, poolOn, runs, scriptWithPid, type TestHost, until } from "./testing.ts";

describe.each(hostKinds)("when the way to $name is lost", ({ missing, start }) => {
  let host: TestHost;
  let pools: ReturnType<typeof poolOn>[] = [];

  beforeAll(async () => {
    if (!missing) host = await start();
  });
  beforeEach(({ skip }) => {
    if (missing) skip(missing);
  });
  afterEach(async () => {
    host?.proxy.resume();
    await Promise.all(pools.map((pool) => pool.close({ graceMs: 0 })));
    pools = [];
  });
  afterAll(() => host?.stop());

  const make = (options: Partial<PoolOptions> = {}): ReturnType<typeof poolOn> => {
    const pool = poolOn(host, options);
    pools.push(pool);
    return pool;
  };

  it("no command runs twice and none is said to have run that did not, whatever is cut", async () => {
    const pool = make();
    const file = join(host.folder, "ran");
    const total = 400;
    let next = 0;
    const outcomes = new Map<number, string>();
    const worker = async (): Promise<void> => {
      while (next < total) {
        const n = (next += 1);
        const done = await pool.run(["sh", "-c", `echo ${n} >> ${file}; exec sleep 0.02`], { timeoutMs: 25_000 });
        outcomes.set(n, done.kind === "exit" ? `exit ${done.code}` : done.kind);
        if (outcomes.size % 20 === 0) host.proxy.cut("oldest");
      }
    };
    await Promise.all(Array.from({ length: 32 }, worker));

    const ran = readFileSync(file, "utf8").trim().split("\n").map(Number);
    const kinds = [...outcomes.values()];
    expect(ran).toHaveLength(new Set(ran).size);
    expect([...outcomes].filter(([n, how]) => how === "exit 0" && !ran.includes(n))).toEqual([]);
    expect([...outcomes].filter(([n, how]) => how === "not-started" && ran.includes(n))).toEqual([]);
    // An orphan is ended by its token when the host is next reached; that end is nobody's result.
    expect(new Set(kinds)).toEqual(new Set(["exit 0", "unknown"]));
    expect(kinds.filter((kind) => kind === "exit 0").length).toBeGreaterThan(total / 2);
    expect(pool.events).toContain("lost");
  });

  it("a running command is unknown, has what it wrote, and does not run on once the host is reached again", async () => {
    const pool = make();
    const { argv, pid } = scriptWithPid(host, "echo before; sleep 60");
    const running = pool.run(argv);
    const id = await pid();
    await until(() => pool.stats().commands.busy === 1, "it runs");
    host.proxy.cut();
    expect(await running).toMatchObject({ kind: "unknown", stopped: false });
    expect(await pool.run(["true"])).toMatchObject({ kind: "exit", code: 0 });
    await until(() => !runs(id), "the command is gone");
  });

  it("silently, a command is unknown after three times the keepalive, and the next goes by another connection", async () => {
    const pool = make({ keepaliveMs: 100 });
    await pool.run(["true"]);
    const running = pool.run(["sleep", "60"]);
    await until(() => pool.stats().commands.busy === 1, "it runs");
    host.proxy.stall();
    expect(await running).toMatchObject({ kind: "unknown" });
    host.proxy.resume();
    expect(await pool.run(["true"])).toMatchObject({ kind: "exit", code: 0 });
  });

  it("silently before the host has answered an exec request, the connection is given up after the time for an answer", async () => {
    const pool = make({ answerTimeoutMs: 200, keepaliveMs: 60_000 });
    await pool.run(["true"]);
    host.proxy.stall();
    const began = performance.now();
    const running = pool.run(["true"], { timeoutMs: 20_000 });
    await until(() => pool.events.includes("lost"), "the connection is given up");
    expect(performance.now() - began).toBeLessThan(5000);
    host.proxy.resume();
    // The request for a channel was never answered, so the command is known not to have run, and is started elsewhere.
    expect(await running).toMatchObject({ kind: "exit", code: 0 });
  });

  it("silently for ever, a command still has its time-out, and the caller is told that it may run on", async () => {
    const pool = make({ keepaliveMs: 60_000, killTimeoutMs: 300 });
    const { argv, pid } = scriptWithPid(host, "sleep 60");
    const running = pool.run(argv, { timeoutMs: 1000 });
    const id = await pid();
    host.proxy.stall();
    expect(await running).toMatchObject({ kind: "timeout", stopped: false, message: expect.stringContaining("may still run") });
    host.proxy.resume();
    host.proxy.cut();
    await pool.run(["true"]);
    await until(() => !runs(id), "the command is gone when the host is reached again");
  });

  it("for good, commands fail as unavailable after the time for that, with few dials; and the next works when it is back", async () => {
    await host.proxy.down();
    const pool = make({ unreachableMs: 1000 });
    const began = performance.now();
    const all = await Promise.all(Array.from({ length: 20 }, () => pool.run(["true"])));
    expect(performance.now() - began).toBeLessThan(5000);
    expect(new Set(all.map((done) => done.kind))).toEqual(new Set(["unavailable"]));
    expect(all[0]).toMatchObject({ stopped: true, message: expect.stringContaining("ECONNREFUSED") });
    expect(pool.stats().breaker).toMatchObject({ failures: pool.stats().commands.failures });
    expect(pool.stats().commands.dials).toBeLessThan(10);
    await host.proxy.up();
    // The breaker may stay open for longer than a command waits.
    let back = await pool.run(["true"]);
    for (let n = 0; n < 5 && back.kind === "unavailable"; n += 1) back = await pool.run(["true"]);
    expect(back).toMatchObject({ kind: "exit", code: 0 });
    expect(pool.stats().breaker).toMatchObject({ state: "closed", failures: 0 });
  });

  it("for good, a command with little time has its own time-out", async () => {
    await host.proxy.down();
    const pool = make();
    expect(await pool.run(["true"], { timeoutMs: 300 })).toMatchObject({ kind: "timeout", stopped: true });
    await host.proxy.up();
  });

  it("a closed pool does not wait for it", async () => {
    const pool = make({ keepaliveMs: 60_000, killTimeoutMs: 200 });
    await pool.run(["true"]);
    const running = pool.run(["sleep", "60"]);
    await until(() => pool.stats().commands.busy === 1, "it runs");
    host.proxy.stall();
    const began = performance.now();
    await pool.close({ graceMs: 0 });
    expect(performance.now() - began).toBeLessThan(5000);
    expect(await running).toMatchObject({ kind: "closed", stopped: false });
  });
});
