import { setTimeout as delay } from "node:timers/promises";
import { JobError, type Job } from "@podq/client";
import { parseRequest } from "@podq/jobs";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import type { Handler } from "./execute.ts";
import type { Outcome } from "./outcome.ts";
import { openBench } from "./testing.ts";

const done: Outcome = { kind: "end", state: "succeeded", result: null, error: null, why: "done" };

/** Notes who ran when, and finds two at once on one pod. */
function witness() {
  const order: string[] = [];
  const on = new Map<string, number>();
  let overlaps = 0;
  const handler =
    (workMs: number): Handler =>
    async ({ job }) => {
      const here = (on.get(job.podKey) ?? 0) + 1;
      on.set(job.podKey, here);
      if (here > 1 && !job.parallel) overlaps += 1;
      order.push(job._id);
      await delay(workMs);
      on.set(job.podKey, on.get(job.podKey)! - 1);
      return done;
    };
  return { handler, order, overlaps: () => overlaps };
}

const ended = async (jobs: readonly Job[]): Promise<void> => {
  await Promise.all(
    jobs.map(async (job) =>
      job.result({ timeoutMs: 20_000 }).catch((error: unknown) => error instanceof JobError || Promise.reject(error)),
    ),
  );
};

describe("the line", () => {
  it("runs the jobs of each pod in the order of their enqueueing, one after the other, over several workers", async () => {
    await using bench = await openBench();
    const seen = witness();
    await Promise.all([1, 2, 3].map(async () => bench.work(seen.handler(2))));
    const jobs = new Map<string, Job[]>();
    await Promise.all(
      ["a", "b", "c", "d"].map(async (project) => {
        const pod = bench.podq.pod({ project });
        const mine: Job[] = [];
        jobs.set(project, mine);
        for (let n = 0; n < 15; n++) mine.push(await pod.exec(["true"]));
      }),
    );
    await ended([...jobs.values()].flat());
    expect(seen.overlaps()).toBe(0);
    for (const mine of jobs.values()) {
      const ids = mine.map(({ id }) => id);
      expect(seen.order.filter((id) => ids.includes(id))).toEqual(ids);
    }
  });

  it("lets parallel execs that are next to each other share the pod, and nothing else", async () => {
    await using bench = await openBench();
    const together = new Set<string>();
    let most = 0;
    let mixed = false;
    await bench.work(async ({ job }) => {
      together.add(job._id);
      if (!job.parallel && together.size > 1) mixed = true;
      most = Math.max(most, together.size);
      await delay(50);
      together.delete(job._id);
      return done;
    });
    const pod = bench.podq.pod({ project: "p" });
    const jobs: Job[] = [await pod.exec("x")];
    for (let n = 0; n < 6; n++) jobs.push(await pod.exec("x", { parallel: true }));
    jobs.push(await pod.exec("x"));
    for (let n = 0; n < 3; n++) jobs.push(await pod.exec("x", { parallel: true }));
    await ended(jobs);
    expect(mixed).toBe(false);
    expect(most).toBeGreaterThan(1);
  });

  it("goes on behind one that was cancelled while it waited", async () => {
    await using bench = await openBench();
    const gate = Promise.withResolvers<void>();
    await bench.work(
      async () => {
        await gate.promise;
        return done;
      },
      { sweepMs: 600_000 },
    );
    const pod = bench.podq.pod({ project: "p" });
    const jobs: Job[] = [];
    for (let n = 0; n < 3; n++) jobs.push(await pod.exec("x"));
    await expect.poll(async () => (await jobs[0]!.status()).state).toBe("running");
    await jobs[1]!.cancel();
    gate.resolve();
    await ended(jobs);
    expect((await jobs[2]!.status()).state).toBe("succeeded");
  });

  it("keeps jobs apart that were enqueued at the same moment on an idle pod", async () => {
    await using bench = await openBench();
    const seen = witness();
    await bench.work(seen.handler(5));
    const pod = bench.podq.pod({ project: "p" });
    await ended(await Promise.all(Array.from({ length: 6 }, async () => pod.exec("x"))));
    expect(seen.order).toHaveLength(6);
    expect(seen.overlaps()).toBe(0);
  });

  it("waits for the record of a job that was announced before it was written", async () => {
    await using bench = await openBench();
    const seen = witness();
    await bench.work(seen.handler(0), { sweepMs: 600_000 });
    const redis = new Redis(bench.redisUrl, { maxRetriesPerRequest: null });
    const queue = new Queue("podq", { connection: redis, prefix: bench.prefix });
    const [id, owner] = ["announced", { project: "p" }];
    await queue.add("exec", { v: 1, jobId: id, owner, name: "default", free: true }, { jobId: id });
    await expect.poll(async () => queue.getJobState(id)).toBe("delayed");
    expect(seen.order).toEqual([]);
    await bench.store.jobs.insert(id, parseRequest("exec", { owner, params: { command: "x" } }));
    await ended([bench.podq.job(id)]);
    expect(seen.order).toEqual([id]);
    await queue.close();
    redis.disconnect();
  });

  it("brings every job to its end, in order and once, when Redis loses everything", async () => {
    await using bench = await openBench();
    const seen = witness();
    const redis = new Redis(bench.redisUrl);
    const jobs: Job[][] = [];
    for (const project of ["a", "b", "c", "d", "e"]) {
      const pod = bench.podq.pod({ project });
      jobs.push([]);
      for (let n = 0; n < 10; n++) jobs.at(-1)?.push(await pod.exec(["true"]));
    }
    const keys = await redis.keys(`${bench.prefix}:*`);
    expect(keys.length).toBeGreaterThan(5); // of each line its head, and the queue itself
    await redis.del(keys);
    redis.disconnect();
    await bench.work(seen.handler(1));
    await ended(jobs.flat());
    for (const mine of jobs) {
      const ids = mine.map(({ id }) => id);
      expect(seen.order.filter((id) => ids.includes(id))).toEqual(ids);
    }
  });
});

describe("an attempt", () => {
  it("is taken over also when an insert that became visible later has put another job before it", async () => {
    await using bench = await openBench();
    const request = parseRequest("exec", { owner: { project: "p" }, params: { command: "x" } });
    await bench.store.jobs.insert("late", request);
    const { job } = await bench.store.jobs.insert("running", request);
    expect(await bench.store.jobs.claim(job, "a worker that is gone", 1, null)).not.toBeNull();
    const order: string[] = [];
    await bench.work(async ({ job: { _id } }) => {
      order.push(_id);
      return done;
    });
    await ended([bench.podq.job("late"), bench.podq.job("running")]);
    expect(order).toEqual(["running", "late"]);
  });

  it("is taken over when its worker is gone, and the late worker's word does not count", async () => {
    await using bench = await openBench();
    const gate = Promise.withResolvers<void>();
    const first = await bench.work(
      async () => {
        await gate.promise;
        return { ...done, result: "late" };
      },
      { concurrency: 1 },
    );
    const job = await bench.podq.pod({ project: "p" }).exec("x");
    await expect.poll(async () => (await job.status()).state).toBe("running");
    // As if the first had been paused beyond its lease and its lock.
    await bench.store.jobs.release({ id: job.id, attempt: 1 }, "the test says so");
    const redis = new Redis(bench.redisUrl);
    await redis.del(await redis.keys(`${bench.prefix}:*`));
    redis.disconnect();
    await bench.work(async ({ job: { attempt } }) => ({
      ...done,
      state: "failed",
      error: { code: "internal", message: `attempt ${attempt}` },
    }));
    await expect(job.result({ timeoutMs: 10_000 })).rejects.toMatchObject({ message: "attempt 2" });
    gate.resolve();
    await first.stop();
    expect((await job.status()).error?.message).toBe("attempt 2");
  });

  it("that fails on the way is tried again at its place in line, and each try is on record", async () => {
    await using bench = await openBench();
    const order: string[] = [];
    await bench.work(async ({ job }) => {
      order.push(`${job._id} ${job.attempt}`);
      return job.attempt < 3 ? { kind: "retry", delayMs: 20, error: { code: "host-unreachable", message: "no way" } } : done;
    });
    const pod = bench.podq.pod({ project: "p" });
    const [one, two] = [await pod.exec("x"), await pod.exec("x")];
    await ended([one, two]);
    expect(order).toEqual([one, two].flatMap(({ id }) => [1, 2, 3].map((n) => `${id} ${n}`)));
    const { attempts } = await one.status();
    expect(attempts.map(({ n, why }) => [n, why])).toEqual([
      [1, "host-unreachable: no way"],
      [2, "host-unreachable: no way"],
      [3, "done"],
    ]);
  });

  it("that never comes to its end does not begin again for ever", async () => {
    await using bench = await openBench();
    let begun = 0;
    await bench.work(async () => {
      begun += 1;
      return { kind: "release", why: "as if its worker had died" };
    });
    const job = await bench.podq.pod({ project: "p" }).create({ maxAttempts: 3 });
    await expect(job.result({ timeoutMs: 10_000 })).rejects.toMatchObject({
      code: "internal",
      message: expect.stringContaining("3 attempts") as string,
    });
    expect(begun).toBe(3);
  });

  it("is ended by a cancel from another process, and what waits is cancelled without ever starting", async () => {
    await using bench = await openBench();
    const started: string[] = [];
    await bench.work(
      async ({ job, hold }) => {
        started.push(job._id);
        await new Promise((resolve) => hold.cancel.addEventListener("abort", resolve, { once: true }));
        return {
          kind: "end",
          state: "cancelled",
          result: null,
          error: { code: "cancelled", message: (hold.cancel.reason as Error).message },
          why: "cancelled",
        };
      },
      { leaseMs: 30_000 },
    );
    const pod = bench.podq.pod({ project: "p" });
    const [running, waiting] = [await pod.exec("x"), await pod.exec("x")];
    await expect.poll(async () => (await running.status()).state).toBe("running");
    expect((await waiting.cancel()).state).toBe("cancelled");
    const redis = new Redis(bench.redisUrl, { maxRetriesPerRequest: null });
    const queue = new Queue("podq", { connection: redis, prefix: bench.prefix });
    expect(await queue.getJobState(waiting.id)).toBe("unknown");
    await queue.close();
    redis.disconnect();
    await bench.podq.job(running.id).cancel({ reason: "enough" });
    await expect(running.result({ timeoutMs: 5_000 })).rejects.toMatchObject({ code: "cancelled", message: "enough", state: "cancelled" });
    expect(started).toEqual([running.id]);
    expect((await running.cancel()).state).toBe("cancelled");
  });

  it("that is not begun by its deadline fails, and the line goes on", async () => {
    await using bench = await openBench();
    const gate = Promise.withResolvers<void>();
    await bench.work(async ({ job }) => {
      if (job.labels.first === "yes") await gate.promise;
      return done;
    });
    const pod = bench.podq.pod({ project: "p" });
    const first = await pod.exec("x", { labels: { first: "yes" } });
    const late = await pod.exec("x", { deadlineMs: 1 });
    const next = await pod.exec("x");
    await expect(late.result({ timeoutMs: 10_000 })).rejects.toMatchObject({ code: "deadline-exceeded" });
    gate.resolve();
    await ended([first, next]);
    expect((await next.status()).state).toBe("succeeded");
  });

  it("of a worker that shuts down is handed over", async () => {
    await using bench = await openBench();
    const first = await bench.work(async ({ hold }) => {
      if (!hold.detach.aborted) await new Promise((resolve) => hold.detach.addEventListener("abort", resolve, { once: true }));
      return { kind: "release", why: "shutting down" };
    });
    const job = await bench.podq.pod({ project: "p" }).exec("x");
    await expect.poll(async () => (await job.status()).state).toBe("running");
    await first.stop();
    await bench.work(async () => done);
    await ended([job]);
    expect((await job.status()).attempts.map(({ why }) => why)).toEqual(["shutting down", "done"]);
  });
});

describe("an exec", () => {
  it("has on record, before its handler begins, the pod that there is under its turn", async () => {
    await using bench = await openBench();
    const aims: unknown[] = [];
    await bench.work(async ({ job }) => {
      aims.push([job.target?.podUid, (await bench.store.jobs.get(job._id))!.target?.podUid]);
      return done;
    });
    const figures = { memory: "1Mi", cpu: "1m", memoryRequests: "1Mi", cpuRequests: "1m" };
    const names = { installation: "i", kind: "project", id: "p", name: "default", generation: 1, hash: "h" } as const;
    const identity = { ...names, namespace: bench.prefix, deployment: "d", service: "s" };
    const host = { name: "default", address: "h", port: 22, username: "u" };
    const start = {
      owner: { project: "p" },
      name: "default",
      generation: 1,
      namespace: bench.prefix,
      identity,
      image: "i",
      resources: figures,
    };
    let record = (await bench.store.pods.insert("project/p/default", { ...start, labels: {}, host }))!;
    const pod = bench.podq.pod({ project: "p" });
    await ended([await pod.exec("x")]);
    for (const podUid of ["one", "one", "two"]) {
      record = (await bench.store.pods.patch(record, { status: "running", podName: "ws", podUid }))!;
      await ended([await pod.exec("x")]);
    }
    const none = undefined;
    expect(aims).toEqual([none, "one", "one", "two"].map((uid) => [uid, uid]));
  });
});

describe("a delete that cancels what is pending", () => {
  it("ends what runs and what waits before it, and then runs", async () => {
    await using bench = await openBench();
    const order: string[] = [];
    await bench.work(async ({ job, hold }) => {
      order.push(job.kind);
      if (job.kind !== "exec") return done;
      await new Promise((resolve) => hold.cancel.addEventListener("abort", resolve, { once: true }));
      return { kind: "end", state: "cancelled", result: null, error: { code: "cancelled", message: "told to" }, why: "cancelled" };
    });
    const pod = bench.podq.pod({ project: "p" });
    const [running, waiting] = [await pod.exec("x"), await pod.exec("x")];
    await expect.poll(async () => (await running.status()).state).toBe("running");
    const last = await pod.delete({ cancelPending: true });
    await ended([running, waiting, last]);
    expect(order).toEqual(["exec", "delete"]);
    expect((await waiting.status()).state).toBe("cancelled");
  });
});

describe("a plain BullMQ job", () => {
  it("is accepted in the order in which it was added, and its return value says what came of it", async () => {
    await using bench = await openBench();
    const seen = witness();
    const redis = new Redis(bench.redisUrl, { maxRetriesPerRequest: null });
    const queue = new Queue("podq", { connection: redis, prefix: bench.prefix });
    const added = [];
    for (let n = 0; n < 8; n++)
      added.push(await queue.add("exec", { owner: { project: "plain" }, params: { command: ["true", String(n)] } }));
    await Promise.all([bench.work(seen.handler(2)), bench.work(seen.handler(2))]);
    for (const job of added) await expect.poll(async () => queue.getJobState(job.id!), { timeout: 10_000 }).toBe("completed");
    const expected = added.map((job) => `${job.id}-${job.timestamp}`);
    expect(seen.order).toEqual(expected);
    expect((await queue.getJob(added[0]!.id!))!.returnvalue).toEqual({ jobId: expected[0], state: "succeeded" });
    await queue.close();
    redis.disconnect();
  });

  it("with a bad payload ends as failed with invalid-request, and stops no worker", async () => {
    await using bench = await openBench();
    await bench.work(async () => done);
    const redis = new Redis(bench.redisUrl, { maxRetriesPerRequest: null });
    const queue = new Queue("podq", { connection: redis, prefix: bench.prefix });
    const bad = [
      await queue.add("exec", { owner: { project: "p" }, params: { command: 7 } }),
      await queue.add("explode", { owner: { project: "p" } }),
      await queue.add("exec", "nonsense"),
      await queue.add("create", { owner: {} }),
    ];
    const good = await queue.add("exec", { owner: { project: "p" }, params: { command: "ls" } });
    for (const job of [...bad, good]) await expect.poll(async () => queue.getJobState(job.id!), { timeout: 10_000 }).toBe("completed");
    const codes = await Promise.all(bad.map(async ({ id }) => ((await queue.getJob(id!))!.returnvalue as { code: string }).code));
    expect(codes).toEqual(["invalid-request", "invalid-request", "invalid-request", "owner-missing"]);
    const recorded = await bench.podq.job(`${bad[0]!.id}-${bad[0]!.timestamp}`).status();
    expect(recorded).toMatchObject({ state: "failed", error: { code: "invalid-request" } });
    expect((await queue.getJob(good.id!))!.returnvalue).toMatchObject({ state: "succeeded" });
    await queue.close();
    redis.disconnect();
  });
});
