// A worker in a process of its own whose jobs all run until it is told to end them, so many a second.
import { setTimeout as pause } from "node:timers/promises";
import { createLog, readConfig } from "@podq/worker";
import { forAllKinds, startEngine } from "@podq/worker/engine";
import { openStore } from "@podq/store";
import { settingsOf } from "../child.ts";

/** What the process is told first, and then once: how many jobs to end a second. */
type Settings = Record<string, string>;
export type Go = { perSecond: number };

/** A job that has begun, or whose end is saved: when, by the machine's monotonic clock in ns as text. */
export type JobMoment = { id: string; what: "begun" | "saved"; at: string };

const undo: (() => Promise<unknown>)[] = [];
const settings = await settingsOf<Settings>(async () => {
  for (const one of undo.toReversed()) await one();
});
const config = readConfig(settings);
const store = await openStore({ uri: config.mongodbUri, appName: "podq-bench" });
undo.push(store.close);

const tell = (moment: JobMoment): unknown => process.send?.(moment);
const now = (): string => String(process.hrtime.bigint());
const waiting: (() => void)[] = [];
const handler = async ({ job }: { job: { _id: string } }) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  waiting.push(resolve);
  tell({ id: job._id, what: "begun", at: now() });
  await promise;
  return { kind: "end", state: "succeeded", result: null, error: null, why: "it was told to" } as const;
};
const end: typeof store.jobs.end = async (claim, ending) => {
  const saved = await store.jobs.end(claim, ending);
  tell({ id: claim.id, what: "saved", at: now() });
  return saved;
};
const watched = { ...store, jobs: { ...store.jobs, end } };
const engine = await startEngine(config, watched, () => forAllKinds(handler), createLog(config));
undo.push(engine.stop);

process.on("message", (message) => {
  const { perSecond } = message as Go;
  void (async () => {
    const from = performance.now();
    for (let n = 0; waiting.length > 0; n++) {
      waiting.shift()?.();
      await pause(Math.max(0, from + ((n + 1) * 1_000) / perSecond - performance.now()));
    }
  })();
});
process.send?.("ready");
