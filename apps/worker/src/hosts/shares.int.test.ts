import { podKey } from "@podq/jobs";
import { JobError, type Job } from "@podq/client";
import { expect, it } from "vitest";
import type { Outcome } from "../outcome.ts";
import { openBench, type Bench } from "../testing.ts";

const done: Outcome = { kind: "end", state: "succeeded", result: null, error: null, why: "done" };

/** A pod on record, on a host of this name. */
async function placePod({ store }: Bench, project: string, host: string): Promise<void> {
  const names = { installation: "podq", hash: project, deployment: "d", service: "s", namespace: project, generation: 1 };
  await store.pods.insert(podKey({ project }, "default"), {
    owner: { project },
    name: "default",
    generation: 1,
    namespace: project,
    identity: { ...names, kind: "project", id: project, name: "default" },
    image: "i",
    resources: { memory: "1Mi", cpu: "1m", memoryRequests: "1Mi", cpuRequests: "1m" },
    labels: {},
    host: { name: host, address: "h", port: 22, username: "u" },
  });
}

// Its handler has nothing to say of a command, so neither has its result.
const ended = async (jobs: readonly Job[]): Promise<void> => {
  await Promise.all(
    jobs.map(async (job) =>
      job.result({ timeoutMs: 60_000 }).catch((error: unknown) => error instanceof JobError || Promise.reject(error)),
    ),
  );
};
const numbered = (count: number, name: string): string[] => Array.from({ length: count }, (_, n) => `${name}${n}`);

it("a host on which every job hangs leaves room for the jobs of another, and each of its own runs when that is over", async () => {
  await using bench = await openBench();
  const [slow, fast] = [numbered(80, "slow"), numbered(10, "fast")];
  await Promise.all([...slow.map(async (one) => placePod(bench, one, "slow")), ...fast.map(async (one) => placePod(bench, one, "fast"))]);
  const gate = Promise.withResolvers<void>();
  let hanging = 0;
  let most = 0;
  // The sweeper shall not be what brings back those that were put aside.
  await bench.work(
    async ({ pod }) => {
      if (pod?.host.name !== "slow") return done;
      most = Math.max(most, ++hanging);
      await gate.promise;
      hanging -= 1;
      return done;
    },
    { concurrency: 10, hostConcurrency: 4, sweepMs: 600_000 },
  );
  const enqueue = async (project: string): Promise<Job> => bench.podq.pod({ project }).exec("x");
  const hung = await Promise.all(slow.map(enqueue));
  await expect.poll(() => hanging, { timeout: 60_000 }).toBe(4);
  for (const round of [1, 2, 3]) {
    const quick = await Promise.all(fast.map(enqueue));
    await ended(quick);
    expect([round, hanging]).toEqual([round, 4]);
  }
  gate.resolve();
  await ended(hung);
  expect(most).toBe(4);
}, 120_000);

it("jobs of one pod stay in their order where they were put back for their host's sake", async () => {
  await using bench = await openBench();
  await placePod(bench, "p", "h");
  await placePod(bench, "q", "h");
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  await bench.work(
    async ({ job }) => {
      order.push(job._id);
      await gate.promise;
      return done;
    },
    { hostConcurrency: 1 },
  );
  const first = await bench.podq.pod({ project: "q" }).exec("x");
  await expect.poll(() => order, { timeout: 20_000 }).toEqual([first.id]);
  const jobs: Job[] = [];
  for (let n = 0; n < 10; n++) jobs.push(await bench.podq.pod({ project: "p" }).exec("x"));
  gate.resolve();
  await ended(jobs);
  expect(order).toEqual([first.id, ...jobs.map(({ id }) => id)]);
});
