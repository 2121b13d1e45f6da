// A worker in a process of its own whose commands on busy pods never end, and elsewhere do nothing.
import { createLog, readConfig } from "@podq/worker";
import { forAllKinds, startEngine } from "@podq/worker/engine";
import { openStore } from "@podq/store";
import { settingsOf } from "../child.ts";

/** What the process is told. */
export type BacklogWorkerSettings = { redisUrl: string; mongodbUri: string; prefix: string; concurrency: number };

/** The start of a handler: which job, when by the machine's monotonic clock in ns as text, and whether its pod is a busy one. */
export type BacklogStart = { id: string; at: string; busy: boolean };

const undo: (() => Promise<unknown>)[] = [];
const { redisUrl, mongodbUri, prefix, concurrency } = await settingsOf<BacklogWorkerSettings>(async () => {
  for (const one of undo.toReversed()) await one();
});
const config = readConfig({
  REDIS_URL: redisUrl,
  MONGODB_URI: mongodbUri,
  PODQ_PREFIX: prefix,
  PODQ_CONCURRENCY: String(concurrency),
  PODQ_LOG_LEVEL: "warn",
});
const store = await openStore({ uri: mongodbUri, appName: "podq-bench" });
undo.push(store.close);
const handler = async ({ job, hold }: { job: { _id: string; podKey: string }; hold: { detach: AbortSignal } }) => {
  const busy = job.podKey.startsWith("project/busy-");
  const start: BacklogStart = { id: job._id, at: String(process.hrtime.bigint()), busy };
  if (process.connected) process.send?.(start);
  if (busy) {
    await new Promise((resolve) => hold.detach.addEventListener("abort", resolve, { once: true }));
    return { kind: "release", why: "the bench is over" } as const;
  }
  return { kind: "end", state: "succeeded", result: null, error: null, why: "nothing to do" } as const;
};
const engine = await startEngine(config, store, () => forAllKinds(handler), createLog(config));
undo.push(engine.stop);
process.send?.("ready");
