import { setTimeout as pause } from "node:timers/promises";
import { startMongo, startRedis } from "@podq/devstack";
import { connect, type Podq } from "@podq/client";
import { openStore } from "@podq/store";
import { Queue, QueueEvents } from "bullmq";
import { Redis } from "ioredis";
import { startChild, type Child } from "../child.ts";
import { BenchError } from "../errors.ts";
import { verdict } from "../goal.ts";
import { markdownTable } from "../markdown.ts";
import { residentMb } from "../memory.ts";
import { figure, median, quantile } from "../stats.ts";
import type { EngineSettings } from "../engine.ts";
import type { BacklogStart } from "./worker-child.ts";

/** How much waits on how many busy pods, and how many jobs are measured beside it, one at a time; `calmMs` before each measurement. */
export type BacklogPlan = { jobs: number; pods: number; atOnce: number; idle: number; workers: number; calmMs: number };

/** Figures of a queue with so many jobs in it; times in ms, sizes in MB. */
type BacklogState = {
  waiting: number;
  /** Until an enqueue on an idle pod returned, and until its handler began. */
  accepted: number[];
  started: number[];
  /** Until an enqueue at the end of a line returned. */
  behind: number[];
  workersMb: number;
  redisMb: number;
  /** Jobs that BullMQ has parked now, and how often it put one aside since the start. */
  parked: number;
  bounces: number;
  sweepMs: number;
};

/** Figures as they were measured, and the table of them. */
export type BacklogReport = { empty: BacklogState; full: BacklogState; enqueuedPerSecond: number; table: string };

/** The run whose figures count: some minutes. */
export const fullBacklogPlan: BacklogPlan = { jobs: 100_000, pods: 1_000, atOnce: 64, idle: 300, workers: 2, calmMs: 20_000 };

/** A run that shows that all of it works, in seconds. */
export const quickBacklogPlan: BacklogPlan = { jobs: 400, pods: 20, atOnce: 16, idle: 10, workers: 2, calmMs: 0 };

const prefix = "bench-backlog";
const quietPods = 20;
const lostMs = 120_000;

/** Measures an empty queue, then one with a backlog on busy pods. Throws BenchError `wrong-result` if what waits has begun. */
export async function benchBacklog(plan: BacklogPlan, say: (line: string) => void, stop: AbortSignal): Promise<BacklogReport> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const scene = await openScene(plan, undo);
    for (let n = 0; n < plan.idle / 3; n++) await scene.waitOne(n); // code is compiled and connections are open before anything counts
    say("services and workers are up");
    const busy = Array.from({ length: plan.pods }, (_, n) => `busy-${n}`);
    for (const project of busy) await scene.enqueue(project);
    await until("every busy pod is busy", async () => scene.busyStarts.size === plan.pods);
    await pause(plan.calmMs);
    const empty = await scene.measure(plan.idle, 0, stop);
    say(`${plan.pods} pods are busy, and nothing waits`);
    const from = performance.now();
    let next = 0;
    const producer = async (): Promise<void> => {
      while (next < plan.jobs && !stop.aborted) {
        if (next % 20_000 === 0) say(`${next} jobs wait`);
        await scene.enqueue(busy[next++ % plan.pods]!);
      }
    };
    await Promise.all(Array.from({ length: plan.atOnce }, producer));
    const enqueuedPerSecond = plan.jobs / ((performance.now() - from) / 1_000);
    say(`${plan.jobs} jobs wait`);
    await pause(plan.calmMs); // MongoDB writes what it was given to its files
    const full = await scene.measure(plan.idle, plan.jobs, stop);
    if (scene.busyStarts.size !== plan.pods)
      throw new BenchError("wrong-result", `${scene.busyStarts.size} jobs began on ${plan.pods} pods whose first never ended`);
    return { empty, full, enqueuedPerSecond, table: backlogTable(plan, empty, full, enqueuedPerSecond) };
  } finally {
    for (const one of undo.toReversed()) await one();
  }
}

type Scene = {
  busyStarts: Set<string>;
  enqueue: (project: string) => Promise<string>;
  waitOne: (n: number) => Promise<{ accepted: number; started: number }>;
  measure: (jobs: number, waiting: number, stop: AbortSignal) => Promise<BacklogState>;
};

async function openScene({ workers, pods }: BacklogPlan, undo: (() => Promise<unknown>)[]): Promise<Scene> {
  const redis = await startRedis();
  undo.push(redis.stop);
  const mongo = await startMongo();
  undo.push(mongo.stop);
  const mongodbUri = mongo.uri.replace("/?", "/podq?");
  const starts = new Map<string, bigint>();
  const busyStarts = new Set<string>();
  const children: Child[] = [];
  for (let n = 0; n < workers; n++) {
    // Together they have room for the busy pods twice, so that no job that may run waits for a worker.
    const settings: EngineSettings = { redisUrl: redis.url, mongodbUri, prefix, concurrency: pods };
    const note = ({ id, at, busy }: BacklogStart): void => void (busy ? busyStarts.add(id) : starts.set(id, BigInt(at)));
    const child = await startChild(new URL("./worker-child.ts", import.meta.url), settings, note);
    undo.push(child.stop);
    children.push(child);
  }
  const podq: Podq = await connect({ redisUrl: redis.url, mongodbUri, prefix });
  undo.push(podq.close);
  const store = await openStore({ uri: mongodbUri, appName: "podq-bench" });
  undo.push(store.close);
  const client = new Redis(redis.url, { maxRetriesPerRequest: null });
  const queue = new Queue("podq", { connection: client, prefix });
  const events = new QueueEvents("podq", { connection: client, prefix });
  let bounces = 0;
  events.on("delayed", () => (bounces += 1));
  await events.waitUntilReady();
  undo.push(async () => {
    await events.close();
    await queue.close();
    client.disconnect();
  });

  const enqueue = async (project: string): Promise<string> => (await podq.pod({ project }).exec(["true"])).id;
  const waitOne = async (n: number): Promise<{ accepted: number; started: number }> => {
    const from = process.hrtime.bigint();
    const id = await enqueue(`quiet-${n % quietPods}`);
    const accepted = Number(process.hrtime.bigint() - from) / 1e6;
    await until(`the start of job ${id}`, async () => starts.has(id));
    await until("an idle pod", async () => (await store.jobs.get(id))?.state === "succeeded");
    return { accepted, started: Number(starts.get(id)! - from) / 1e6 };
  };
  return {
    busyStarts,
    enqueue,
    waitOne,
    async measure(jobs, waiting, stop) {
      const waits: Awaited<ReturnType<typeof waitOne>>[] = [];
      const behind: number[] = [];
      for (let n = 0; n < jobs; n++) {
        stop.throwIfAborted();
        waits.push(await waitOne(n));
        if (waiting === 0) continue;
        const from = performance.now();
        await enqueue(`busy-${n % pods}`);
        behind.push(performance.now() - from);
      }
      const from = performance.now();
      await store.jobs.stranded();
      const sweepMs = performance.now() - from;
      const memory = /^used_memory:(\d+)/m.exec(await client.info("memory"))?.[1];
      return {
        waiting,
        accepted: waits.map(({ accepted }) => accepted),
        started: waits.map(({ started }) => started),
        behind,
        workersMb: children.reduce((sum, { pid }) => sum + residentMb(pid), 0),
        redisMb: Number(memory) / 1e6,
        parked: await queue.getDelayedCount(),
        bounces,
        sweepMs,
      };
    },
  };
}

async function until(what: string, ask: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + lostMs;
  while (!(await ask())) {
    if (performance.now() > giveUpAt) throw new BenchError("wrong-result", `gave up waiting for ${what}`);
    await pause(1);
  }
}

const head = [
  "waiting",
  "enqueue returns, p50 ms",
  "p95 ms",
  "to start of handler, p50 ms",
  "p95 ms",
  "enqueue in a long line, p50 ms",
  "workers, MB",
  "Redis, MB",
  "parked in BullMQ",
  "bounces",
  "the sweeper's look, ms",
];

function backlogTable({ pods }: BacklogPlan, empty: BacklogState, full: BacklogState, perSecond: number): string {
  const rows = [empty, full].map(({ waiting, accepted, started, behind, workersMb, redisMb, parked, bounces, sweepMs }) => [
    String(waiting),
    ...[median(accepted), quantile(accepted, 0.95), median(started), quantile(started, 0.95)].map(figure),
    ...[median(behind), workersMb, redisMb].map(figure),
    ...[parked, bounces].map(String),
    figure(sweepMs),
  ]);
  const goals = (["accepted", "started"] as const).map((what) =>
    verdict({ what: `${what}, p50 to empty`, limit: 1.5, side: "at-most" }, median(full[what]) / median(empty[what])),
  );
  return `${markdownTable(head, rows)}\n\nEnqueued over ${pods} pods at ${figure(perSecond)} a second. ${goals.join("; ")}.`;
}
