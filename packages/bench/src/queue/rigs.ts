import { connect } from "@podq/client";
import { Queue } from "bullmq";
import { MongoClient } from "mongodb";
import { startChild } from "../child.ts";
import { addPlain, openPlainQueue, openPlainStore } from "./plain.ts";
import type { QueueWorkerSettings, Starts } from "./worker-child.ts";

/** One of the lines that are compared, with workers that do nothing. */
export type Rig = {
  line: QueueWorkerSettings["line"];
  name: string;
  /** Adds a job for a project's pod; resolves with its id when it is accepted. */
  add: (project: string) => Promise<string>;
  /** When each job's handler began, in ns of the machine's monotonic clock; grows while jobs run. */
  starts: Map<string, bigint[]>;
  /** Jobs that BullMQ is not done with. */
  unfinished: () => Promise<number>;
  /** Jobs that ended well by MongoDB's word; null where MongoDB knows nothing. */
  succeeded: () => Promise<number | null>;
};

/** The services, and how many worker processes with how many jobs at once each. */
export type RigOptions = { redisUrl: string; mongoUri: string; workers: number; concurrency: number };

/** The lines, podq's first; all of them are up at once, and each has keys and a database of its own. */
export async function openRigs(options: RigOptions, undo: (() => Promise<unknown>)[]): Promise<Rig[]> {
  return [await podqRig(options, undo), await plainRig("plain", options, undo), await plainRig("bare", options, undo)];
}

async function podqRig(options: RigOptions, undo: (() => Promise<unknown>)[]): Promise<Rig> {
  const { redisUrl, mongoUri } = options;
  const mongodbUri = mongoUri.replace("/?", "/podq?");
  const prefix = "bench-podq";
  const starts = await startWorkers("podq", mongodbUri, prefix, options, undo);
  const podq = await connect({ redisUrl, mongodbUri, prefix });
  undo.push(podq.close);
  const { hostname, port } = new URL(redisUrl);
  const queue = new Queue("podq", { connection: { host: hostname, port: Number(port) }, prefix });
  undo.push(async () => queue.close());
  const client = await MongoClient.connect(mongodbUri);
  undo.push(async () => client.close());
  return {
    line: "podq",
    name: "podq",
    add: async (project) => (await podq.pod({ project }).exec(["true"])).id,
    starts,
    unfinished: async () => countUnfinished(queue),
    succeeded: async () => client.db().collection("jobs").countDocuments({ state: "succeeded" }),
  };
}

async function plainRig(line: "plain" | "bare", options: RigOptions, undo: (() => Promise<unknown>)[]): Promise<Rig> {
  const { redisUrl, mongoUri } = options;
  const mongodbUri = mongoUri.replace("/?", "/plain?");
  const prefix = `bench-${line}`;
  const starts = await startWorkers(line, mongodbUri, prefix, options, undo);
  const store = line === "plain" ? await openPlainStore(mongodbUri) : null;
  if (store) undo.push(store.close);
  const queue = openPlainQueue(redisUrl, prefix);
  undo.push(async () => queue.close());
  return {
    line,
    name: line === "plain" ? "BullMQ and the same three writes, no order" : "BullMQ without MongoDB",
    add: async (project) => addPlain(queue, store, project),
    starts,
    unfinished: async () => countUnfinished(queue),
    succeeded: async () => (await store?.succeeded()) ?? null,
  };
}

async function startWorkers(
  line: QueueWorkerSettings["line"],
  mongodbUri: string,
  prefix: string,
  { redisUrl, workers, concurrency }: RigOptions,
  undo: (() => Promise<unknown>)[],
): Promise<Rig["starts"]> {
  const starts: Rig["starts"] = new Map();
  for (let n = 0; n < workers; n++) {
    const settings: QueueWorkerSettings = { line, redisUrl, mongodbUri, prefix, concurrency };
    const note = (told: Starts): void => told.forEach(({ id, at }) => starts.set(id, [...(starts.get(id) ?? []), BigInt(at)]));
    const child = await startChild(new URL("./worker-child.ts", import.meta.url), settings, note);
    undo.push(child.stop);
  }
  return starts;
}

async function countUnfinished(queue: Queue): Promise<number> {
  const counts = await queue.getJobCounts("active", "waiting", "delayed", "prioritized");
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
