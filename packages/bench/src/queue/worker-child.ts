// Workers whose jobs do nothing, in a process of their own: podq's engine, or plain BullMQ with or without MongoDB.
import { createLog, readConfig } from "@podq/worker";
import { forAllKinds, startEngine } from "@podq/worker/engine";
import { openStore } from "@podq/store";
import { settingsOf } from "../child.ts";
import { openPlainStore, startPlainWorker } from "./plain.ts";

/** What the process is told. */
export type QueueWorkerSettings = {
  line: "podq" | "plain" | "bare";
  redisUrl: string;
  mongodbUri: string;
  prefix: string;
  concurrency: number;
};

/** Starts of handlers: which job, and when by the machine's monotonic clock, in ns as text. */
export type Starts = { id: string; at: string }[];

const undo: (() => Promise<unknown>)[] = [];
const settings = await settingsOf<QueueWorkerSettings>(async () => {
  for (const one of undo.toReversed()) await one();
});

// Sent in heaps, so that telling costs little beside what is told of.
let untold: Starts = [];
const noteStart = (id: string): void => {
  if (untold.push({ id, at: String(process.hrtime.bigint()) }) === 1)
    setTimeout(() => {
      process.send?.(untold);
      untold = [];
    }, 5);
};

const { line, redisUrl, mongodbUri, prefix, concurrency } = settings;
if (line === "podq") {
  const config = readConfig({
    REDIS_URL: redisUrl,
    MONGODB_URI: mongodbUri,
    PODQ_PREFIX: prefix,
    PODQ_CONCURRENCY: String(concurrency),
    PODQ_LOG_LEVEL: "warn",
  });
  const store = await openStore({ uri: mongodbUri, appName: "podq-bench" });
  undo.push(store.close);
  const handler = async ({ job }: { job: { _id: string } }) => {
    noteStart(job._id);
    return { kind: "end", state: "succeeded", result: null, error: null, why: "nothing to do" } as const;
  };
  const engine = await startEngine(config, store, () => forAllKinds(handler), createLog(config));
  undo.push(engine.stop);
} else {
  const store = line === "plain" ? await openPlainStore(mongodbUri) : null;
  if (store) undo.push(store.close);
  undo.push(startPlainWorker(redisUrl, prefix, concurrency, store, noteStart));
}
process.send?.("ready");
