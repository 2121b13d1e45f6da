// Workers whose jobs do nothing, in a process of their own: podq's engine, or plain BullMQ with or without MongoDB.
import { settingsOf } from "../child.ts";
import { startBenchEngine, type EngineSettings } from "../engine.ts";
import { openPlainStore, startPlainWorker } from "./plain.ts";

/** What the process is told. */
export type QueueWorkerSettings = EngineSettings & { line: "podq" | "plain" | "bare" };

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
  const handler = async ({ job }: { job: { _id: string } }) => {
    noteStart(job._id);
    return { kind: "end", state: "succeeded", result: null, error: null, why: "nothing to do" } as const;
  };
  await startBenchEngine(settings, handler, undo);
} else {
  const store = line === "plain" ? await openPlainStore(mongodbUri) : null;
  if (store) undo.push(store.close);
  undo.push(startPlainWorker(redisUrl, prefix, concurrency, store, noteStart));
}
process.send?.("ready");
