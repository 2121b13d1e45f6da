import { randomBytes } from "node:crypto";
import { startRedis } from "@podq/devstack";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { describe, expect, inject, it } from "vitest";
import { startConsumer, type Delivery, type Disposition } from "./consumer.ts";
import { createDispatcher, type Dispatch } from "./dispatcher.ts";
import { openListener } from "./listener.ts";
import { connectRedis } from "./redis.ts";

const job: Dispatch = { id: "job-1", dispatchId: null, kind: "exec", owner: { project: "p" }, name: "default" };

async function open() {
  const { redisUrl } = inject("services");
  const prefix = `t${randomBytes(6).toString("hex")}`;
  const dispatcher = createDispatcher(await connectRedis(redisUrl, "caller"), prefix);
  const redis = await connectRedis(redisUrl, "worker");
  const queue = new Queue("podq", { connection: redis, prefix });
  const stops: (() => Promise<void>)[] = [];
  return {
    dispatcher,
    queue,
    prefix,
    redisUrl,
    state: async (id: string) => queue.getJobState(id),
    consume(handle: (delivery: Delivery) => Promise<Disposition>) {
      const consumer = startConsumer({ redis, prefix, concurrency: 5, lockMs: 1_000, stallCheckMs: 500, handle, onError: () => undefined });
      stops.push(consumer.close);
      return consumer;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stops.map(async (stop) => stop()));
      await queue.close();
      await dispatcher.close();
      redis.disconnect();
    },
  };
}

describe("waking a job", () => {
  it("adds one that BullMQ does not know, and leaves one that waits", async () => {
    await using scene = await open();
    await scene.dispatcher.wake(job);
    expect(await scene.state(job.id)).toBe("waiting");
    await scene.dispatcher.wake(job);
    expect(await scene.queue.getWaitingCount()).toBe(1);
  });

  it("promotes one that is parked", async () => {
    await using scene = await open();
    await scene.queue.add("exec", {}, { jobId: job.id, delay: 60_000 });
    expect(await scene.state(job.id)).toBe("delayed");
    await scene.dispatcher.wake(job);
    expect(await scene.state(job.id)).toBe("waiting");
  });

  it("brings back one that BullMQ holds as finished, which an add would not", async () => {
    await using scene = await open();
    const seen: string[] = [];
    scene.consume(async ({ dispatchId }) => {
      seen.push(dispatchId);
      return { kind: "done", value: { jobId: dispatchId, state: "succeeded" } };
    });
    await scene.dispatcher.add(job);
    await expect.poll(async () => scene.state(job.id)).toBe("completed");
    await scene.dispatcher.add(job);
    await scene.dispatcher.wake(job);
    await expect.poll(() => seen).toEqual([job.id, job.id]);
  });

  it("promotes one that came in plainly, under BullMQ's own id, and adds it under the job's if that is gone", async () => {
    await using scene = await open();
    const plain = await scene.queue.add("exec", {}, { delay: 60_000 });
    const wake = { ...job, dispatchId: plain.id! };
    await scene.dispatcher.wake(wake);
    expect(await scene.state(plain.id!)).toBe("waiting");
    await plain.remove();
    await scene.dispatcher.wake(wake);
    expect(await scene.state(job.id)).toBe("waiting");
  });
});

describe("what is asleep", () => {
  it("is what BullMQ does not know, has parked or holds as finished, and not what waits for a worker, has one, or is due soon", async () => {
    await using scene = await open();
    const gate = Promise.withResolvers<void>();
    const consumer = scene.consume(async ({ dispatchId }) => {
      if (dispatchId === "is-active") await gate.promise;
      return { kind: "done", value: { jobId: dispatchId, state: "succeeded" } };
    });
    await scene.queue.add("exec", {}, { jobId: "is-active" });
    await scene.queue.add("exec", {}, { jobId: "is-finished" });
    await expect.poll(async () => scene.state("is-active")).toBe("active");
    await expect.poll(async () => scene.state("is-finished")).toBe("completed");
    const closed = consumer.close();
    await scene.queue.add("exec", {}, { jobId: "is-waiting" });
    await scene.queue.add("exec", {}, { jobId: "is-parked", delay: 60_000 });
    await scene.queue.add("exec", {}, { jobId: "is-due-soon", delay: 20_000 });
    const plain = await scene.queue.add("exec", {});
    const jobs = ["is-active", "is-finished", "is-waiting", "is-parked", "is-due-soon", "is-unknown"].map((id): Dispatch => ({
      ...job,
      id,
    }));
    const asleep = await scene.dispatcher.asleep([...jobs, { ...job, id: "of a plain one", dispatchId: plain.id! }]);
    expect(asleep.map(({ id }) => id)).toEqual(["is-finished", "is-parked", "is-unknown"]);
    expect(await scene.dispatcher.asleep([])).toEqual([]);
    gate.resolve();
    await closed;
  });
});

describe("a delivery", () => {
  it("that is parked comes back when it is woken, and at once if its turn came while it was parked", async () => {
    await using scene = await open();
    const seen: number[] = [];
    scene.consume(async ({ dispatchId }) => {
      seen.push(seen.length);
      if (seen.length === 1) return { kind: "park", lookAgain: async () => false };
      if (seen.length === 2) return { kind: "park", lookAgain: async () => true };
      return { kind: "done", value: { jobId: dispatchId, state: "succeeded" } };
    });
    await scene.dispatcher.add(job);
    await expect.poll(async () => scene.state(job.id)).toBe("delayed");
    await scene.dispatcher.wake(job);
    await expect.poll(async () => scene.state(job.id)).toBe("completed");
    expect(seen).toHaveLength(3);
  });

  it("that is handed over is taken again", async () => {
    await using scene = await open();
    let times = 0;
    scene.consume(async ({ dispatchId }) =>
      ++times === 1 ? { kind: "handover" } : { kind: "done", value: { jobId: dispatchId, state: "succeeded" } },
    );
    await scene.dispatcher.add(job);
    await expect.poll(async () => scene.state(job.id)).toBe("completed");
    expect(times).toBe(2);
  });

  it("is listed among the active ones in the order in which it was taken", async () => {
    await using scene = await open();
    const gate = Promise.withResolvers<void>();
    for (const n of [1, 2, 3]) await scene.queue.add("exec", { n });
    const consumer = scene.consume(async ({ dispatchId }) => {
      await gate.promise;
      return { kind: "done", value: { jobId: dispatchId, state: "succeeded" } };
    });
    await expect.poll(async () => (await consumer.active()).map(({ data }) => (data as { n: number }).n)).toEqual([1, 2, 3]);
    gate.resolve();
  });
});

describe("messages", () => {
  it("reach those who listen to that job, and the workers", async () => {
    await using scene = await open();
    const listener = openListener(scene.redisUrl, scene.prefix);
    const heard: string[] = [];
    const stop = await listener.onNudge("a", () => heard.push("a"));
    await listener.onOrder(({ jobId, order }) => heard.push(`${order} ${jobId}`));
    await scene.dispatcher.nudge("b", false);
    await scene.dispatcher.nudge("a", false);
    await scene.dispatcher.order({ jobId: "c", order: "cancel" });
    await expect.poll(() => heard).toEqual(["a", "cancel c"]);
    stop();
    await scene.dispatcher.nudge("a", false);
    await scene.dispatcher.order({ jobId: "d", order: "cancel" });
    await expect.poll(() => heard).toEqual(["a", "cancel c", "cancel d"]);
    listener.close();
  });
});

describe("a Redis", () => {
  it("that may drop keys is refused, with the command that mends it", async () => {
    const server = await startRedis();
    const admin = new Redis(server.url);
    await admin.config("SET", "maxmemory-policy", "allkeys-lru");
    admin.disconnect();
    await expect(connectRedis(server.url, "caller")).rejects.toMatchObject({
      code: "unfit",
      message: expect.stringContaining("noeviction") as string,
    });
    await server.stop();
  });

  it("that is not there is named by its setting", async () => {
    await expect(connectRedis("redis://127.0.0.1:1", "caller")).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringContaining("REDIS_URL") as string,
    });
  });

  it("that has gone fails a call in time, and does not hang it", async () => {
    const server = await startRedis();
    const dispatcher = createDispatcher(await connectRedis(server.url, "caller"), "t", 500);
    await server.stop();
    await expect(dispatcher.add(job)).rejects.toMatchObject({ code: "unreachable" });
    await dispatcher.close();
  });
});

describe("a consumer that closes", () => {
  it("while Redis is away lets go when what it had taken is done", { timeout: 60_000 }, async () => {
    const first = await startRedis();
    const prefix = randomBytes(6).toString("hex");
    const redis = await connectRedis(first.url, "worker");
    const dispatcher = createDispatcher(await connectRedis(first.url, "caller"), prefix);
    const [begun, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let done = false;
    const handle = async (): Promise<Disposition> => {
      begun.resolve();
      await finish.promise;
      done = true;
      return { kind: "done", value: { jobId: job.id, state: "succeeded" } };
    };
    const consumer = startConsumer({ redis, prefix, concurrency: 5, lockMs: 1_000, stallCheckMs: 500, handle, onError: () => undefined });
    await dispatcher.add(job);
    await begun.promise;
    await first.kill();
    const closed = consumer.close().then(() => done);
    let tries = 0;
    redis.on("reconnecting", () => (tries += 1));
    finish.resolve();
    await expect.poll(() => tries, { timeout: 20_000 }).toBeGreaterThan(6);
    const again = await startRedis({ port: first.port });
    expect(await closed).toBe(true);
    redis.disconnect();
    await dispatcher.close();
    await again.stop();
  });

  it("while Redis is away does not wait for it with what is to be handed over or put aside", { timeout: 60_000 }, async () => {
    for (const disposition of [{ kind: "handover" }, { kind: "park", lookAgain: async () => false }] satisfies Disposition[]) {
      const server = await startRedis();
      const prefix = randomBytes(6).toString("hex");
      const redis = await connectRedis(server.url, "worker");
      const dispatcher = createDispatcher(await connectRedis(server.url, "caller"), prefix);
      const [begun, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const handle = async (): Promise<Disposition> => {
        begun.resolve();
        await finish.promise;
        return disposition;
      };
      const consumer = startConsumer({ redis, prefix, concurrency: 5, lockMs: 1_000, stallCheckMs: 500, handle, onError: () => undefined });
      await dispatcher.add(job);
      await begun.promise;
      await server.kill();
      finish.resolve();
      await expect(consumer.close()).resolves.toBeUndefined();
      redis.disconnect();
      await dispatcher.close();
    }
  });
});
