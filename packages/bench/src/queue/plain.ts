import { randomUUID } from "node:crypto";
import { Queue, Worker } from "bullmq";
import { MongoClient } from "mongodb";
import { BenchError } from "../errors.ts";

const plainQueue = "plain";

/** The record of a job as podq's is, without what keeps an order. */
type PlainJob = { _id: string; state: "queued" | "running" | "succeeded"; attempts: object[]; history: object[]; [field: string]: unknown };

/** The three writes that a job costs: durable, as podq's are, and none of them looks at another job. */
export type PlainStore = {
  insert: (id: string, pod: string) => Promise<void>;
  claim: (id: string) => Promise<void>;
  end: (id: string) => Promise<void>;
  succeeded: () => Promise<number>;
  close: () => Promise<void>;
};

/** Connects with the bounds and the write concern of podq's own store. */
export async function openPlainStore(uri: string): Promise<PlainStore> {
  const client = await MongoClient.connect(uri, { maxPoolSize: 20, writeConcern: { w: "majority", journal: true } });
  const jobs = client.db().collection<PlainJob>("plain");
  await jobs.createIndexes([
    { key: { podKey: 1, createdAt: -1 } },
    { key: { createdAt: -1 } },
    { key: { expiresAt: 1 }, expireAfterSeconds: 0 },
  ]);
  return {
    insert: async (id, pod) => void (await jobs.insertOne(newPlainJob(id, pod))),
    async claim(id) {
      const set = { state: "running", startedAt: new Date(), leaseUntil: new Date(Date.now() + 10_000) };
      const push = { attempts: { worker: process.pid, startedAt: new Date() }, history: entry("running") };
      // Its worker needs the record, so the claim brings it along.
      check((await jobs.findOneAndUpdate({ _id: id, state: "queued" }, change(set, push))) !== null, id, "queued");
    },
    async end(id) {
      const expiresAt = new Date(Date.now() + 7 * 86_400_000);
      const set = { state: "succeeded", result: null, endedAt: new Date(), leaseUntil: null, expiresAt };
      const { matchedCount } = await jobs.updateOne({ _id: id, state: "running" }, change(set, { history: entry("succeeded") }));
      check(matchedCount === 1, id, "running");
    },
    succeeded: async () => jobs.countDocuments({ state: "succeeded" }),
    close: async () => client.close(),
  };
}

const entry = (state: PlainJob["state"]): object => ({ at: new Date(), state });

function change(set: object, push: object): object {
  return { $set: { ...set, updatedAt: new Date() }, $inc: { version: 1 }, $push: push };
}

function check(done: boolean, id: string, from: PlainJob["state"]): void {
  if (!done) throw new BenchError("wrong-result", `plain job ${id} is not ${from}`);
}

function newPlainJob(id: string, project: string): PlainJob {
  const now = new Date();
  return {
    _id: id,
    kind: "exec",
    owner: { kind: "project", id: project },
    name: "default",
    podKey: `project/${project}/default`,
    state: "queued",
    params: { command: ["true"], cwd: "/workspace", env: {}, timeoutMs: 600_000, graceMs: 1000, maxOutputBytes: 16_777_216 },
    labels: {},
    attempts: [],
    history: [{ at: now, state: "queued" }],
    worker: null,
    leaseUntil: null,
    result: null,
    error: null,
    version: 1,
    createdAt: now,
    updatedAt: now,
    startedAt: null,
    endedAt: null,
    expiresAt: null,
    deadlineAt: new Date(now.getTime() + 86_400_000),
  };
}

/** Adds a job: with a store its record first, as podq does. Returns its id. */
export async function addPlain(queue: Queue, store: PlainStore | null, project: string): Promise<string> {
  const id = randomUUID();
  await store?.insert(id, project);
  await queue.add("exec", { jobId: id, owner: { kind: "project", id: project }, name: "default" }, { jobId: id });
  return id;
}

/** Opens the queue of a plain line with the settings of podq's own. */
export function openPlainQueue(redisUrl: string, prefix: string): Queue {
  return new Queue(plainQueue, {
    connection: connectionOf(redisUrl),
    prefix,
    defaultJobOptions: { removeOnComplete: { age: 3_600, count: 1_000 }, removeOnFail: { age: 3_600, count: 1_000 } },
  });
}

/** Starts a worker of a plain line: claim, the handler, end. Returns what stops it. */
export function startPlainWorker(
  redisUrl: string,
  prefix: string,
  concurrency: number,
  store: PlainStore | null,
  handle: (id: string) => void,
): () => Promise<void> {
  const work = async ({ data: { jobId } }: { data: { jobId: string } }): Promise<object> => {
    await store?.claim(jobId);
    handle(jobId);
    await store?.end(jobId);
    return { jobId, state: "succeeded" };
  };
  const connection = { ...connectionOf(redisUrl), maxRetriesPerRequest: null };
  const worker = new Worker<{ jobId: string }>(plainQueue, work, {
    connection,
    prefix,
    concurrency,
    lockDuration: 10_000,
    stalledInterval: 5_000,
  });
  return async () => worker.close();
}

function connectionOf(redisUrl: string): { host: string; port: number } {
  const { hostname, port } = new URL(redisUrl);
  return { host: hostname, port: Number(port) };
}
