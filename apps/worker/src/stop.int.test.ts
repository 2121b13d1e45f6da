import { randomBytes } from "node:crypto";
import { startRelay, type Relay } from "@podq/devstack";
import { openStore, type Store } from "@podq/store";
import { pino } from "pino";
import { afterEach, describe, expect, inject, it } from "vitest";
import { forAllKinds, startEngine } from "./engine.ts";
import type { Handler } from "./execute.ts";
import { openBench } from "./testing.ts";

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const one of cleanUp.splice(0).toReversed()) await one();
});

async function relayTo(url: string): Promise<{ relay: Relay; url: string }> {
  const { hostname, port } = new URL(url);
  const relay = await startRelay({ host: hostname, port: Number(port) });
  cleanUp.push(relay.stop);
  const through = new URL(url);
  through.port = String(relay.port);
  return { relay, url: through.href };
}

const untilDetached: Handler = async ({ hold }) => {
  if (!hold.detach.aborted) await new Promise((resolve) => hold.detach.addEventListener("abort", resolve, { once: true }));
  return { kind: "release", why: "the worker is shutting down" };
};

/** A worker that reaches both databases through relays, with one job that runs until it is let go. */
async function busyWorker() {
  const services = inject("services");
  const bench = await openBench();
  cleanUp.push(async () => bench[Symbol.asyncDispose]());
  const [mongo, redis] = await Promise.all([relayTo(services.mongodbUri), relayTo(services.redisUrl)]);
  const uri = new URL(mongo.url);
  uri.pathname = `/${bench.prefix}`;
  const store: Store = await openStore({ uri: uri.href, appName: "podq-test" });
  cleanUp.push(store.close);
  const settings = { redisUrl: redis.url, prefix: bench.prefix, concurrency: 5, leaseMs: 60_000, stallCheckMs: 5_000, sweepMs: 60_000 };
  const engine = await startEngine(settings, store, () => forAllKinds(untilDetached), pino({ level: "silent" }));
  const job = await bench.podq.pod({ project: randomBytes(3).toString("hex") }).exec("x");
  await expect.poll(async () => (await job.status()).state, { timeout: 15_000 }).toBe("running");
  return { engine, store, job, mongo: mongo.relay, redis: redis.relay };
}

// As after a long sleep of the machine, or where a firewall drops what was silent for too long: no end of a connection is told.
describe("a worker whose connections were forgotten on the way", () => {
  it.each([
    ["to MongoDB", ["mongo"]],
    ["to Redis", ["redis"]],
    ["to both", ["mongo", "redis"]],
  ] as const)("%s hands over its job, and stops within the grace time", { timeout: 90_000 }, async (_where, which) => {
    const { engine, store, job, ...relays } = await busyWorker();
    for (const one of which) expect(relays[one].forget()).toBeGreaterThan(0);
    const graceMs = 30_000;
    const late = AbortSignal.timeout(graceMs);
    const how = await Promise.race([
      engine
        .stop()
        .then(store.close)
        .then(() => "stopped"),
      new Promise((resolve) => late.addEventListener("abort", () => resolve("late"))),
    ]);
    expect(how).toBe("stopped");
    const { attempts } = await job.status();
    expect(attempts.map(({ why }) => why)).toEqual(["the worker is shutting down"]);
  });
});
