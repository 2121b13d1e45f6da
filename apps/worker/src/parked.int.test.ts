import { createLine } from "@podq/client/line";
import { parseRequest } from "@podq/jobs";
import { connectRedis, createDispatcher } from "@podq/queue";
import { Queue } from "bullmq";
import { describe, expect, it } from "vitest";
import type { EngineConfig } from "./engine.ts";
import type { Handler } from "./execute.ts";
import { openBench, type Bench } from "./testing.ts";

const request = parseRequest("exec", { owner: { project: "p" }, params: { command: "x" } });

const untilCancelled: Handler = async ({ hold }) => {
  await new Promise((resolve) => hold.cancel.addEventListener("abort", resolve, { once: true }));
  return { kind: "end", state: "cancelled", result: null, error: { code: "cancelled", message: "enough" }, why: "cancelled" };
};

/** A pod that is busy, and a producer's own line to BullMQ. */
async function openScene(config: Partial<EngineConfig>) {
  const bench: Bench = await openBench();
  await bench.work(untilCancelled, config);
  const running = await bench.podq.pod({ project: "p" }).exec("x");
  await expect.poll(async () => (await running.status()).state, { timeout: 10_000 }).toBe("running");
  const redis = await connectRedis(bench.redisUrl, "caller");
  const dispatcher = createDispatcher(redis, bench.prefix);
  const queue = new Queue("podq", { connection: redis, prefix: bench.prefix });
  return {
    store: bench.store,
    line: createLine(bench.store, dispatcher, () => undefined),
    stateOf: async (id: string) => queue.getJobState(id),
    async [Symbol.asyncDispose]() {
      await running.cancel();
      await queue.close();
      await dispatcher.close();
      await bench[Symbol.asyncDispose]();
    },
  };
}

describe("a job that was taken to be the first in line", () => {
  it("does not run before one that was accepted earlier, which is brought to a worker instead", async () => {
    await using scene = await openScene({ sweepMs: 60_000 });
    const other = parseRequest("exec", { owner: { project: "other" }, params: { command: "x" } });
    const [first, second] = [await scene.store.jobs.insert("first", other), await scene.store.jobs.insert("second", other)];
    await scene.line.dispatch(second.job, false);
    await expect.poll(async () => (await scene.store.jobs.get("first"))!.state, { timeout: 10_000 }).toBe("running");
    expect((await scene.store.jobs.get("second"))!.state).toBe("queued");
    for (const { job } of [second, first]) await scene.line.cancel(job._id, "enough");
  });
});

describe("a job that ended without a worker", () => {
  it("does not stay in BullMQ though it was cancelled before it was put aside", async () => {
    await using scene = await openScene({ sweepMs: 60_000 });
    const { job } = await scene.store.jobs.insert("late", request);
    await scene.line.cancel(job._id, "not wanted");
    await scene.line.dispatch(job, false);
    await expect.poll(async () => scene.stateOf(job._id), { timeout: 10_000 }).toBe("completed");
  });

  it("does not stay in BullMQ though whoever cancelled it died before saying so", async () => {
    await using scene = await openScene({ sweepMs: 300 });
    const { job } = await scene.store.jobs.insert("left", request);
    await scene.line.dispatch(job, false); // as if nobody had been before it
    await expect.poll(async () => scene.stateOf(job._id), { timeout: 10_000 }).toBe("delayed");
    await scene.store.jobs.cancel(job._id, "not wanted");
    await expect.poll(async () => scene.stateOf(job._id), { timeout: 10_000 }).toBe("completed");
    await expect.poll(async () => scene.store.jobs.parked(1), { timeout: 10_000 }).toEqual([]);
  });
});
