// A worker in a process of its own, as `podq worker` is, that can be told to die or to freeze at a point of a job's life, to
// overlook a job for a while, and to do without one of its protections.
import { awakeFor, createLog, readConfig, startWorker } from "@podq/worker";
import { MongoClient } from "mongodb";
import { report, settingsOf } from "../child.ts";
import type { Control } from "../controls.ts";
import { hiding } from "./looks.ts";
import { withPoints } from "./points.ts";
import { settingsWithout, without } from "./without.ts";

/** What the process is told first. */
export type WorkerSettings = { env: Record<string, string>; without: Control | undefined };

/** What it can be told later. */
export type WorkerOrder = { arm: string; signal: "SIGKILL" | "SIGSTOP" } | { disarm: string } | { hide: string[] };

/** What it tells: that it is at the point, and about to do as it was told; or that it hides what it was told. */
export type WorkerReport = { at: string } | { hides: number };

const settings = await settingsOf<WorkerSettings>();
const hidden = new Set<string>();
const armed = new Map<string, "SIGKILL" | "SIGSTOP">();
process.on("message", (order: WorkerOrder) => {
  if ("arm" in order) armed.set(order.arm, order.signal);
  else if ("disarm" in order) armed.delete(order.disarm);
  else {
    hidden.clear();
    for (const id of order.hide) hidden.add(id);
    void report({ hides: hidden.size } satisfies WorkerReport);
  }
});

async function at(point: string): Promise<void> {
  const signal = armed.get(point);
  if (signal === undefined) return;
  armed.clear();
  await report({ at: point } satisfies WorkerReport);
  process.kill(process.pid, signal);
}

const config = readConfig({ ...settings.env, ...settingsWithout(settings.without) });
const client = await MongoClient.connect(config.mongodbUri);
const worker = await startWorker(config, createLog(config), (parts) => {
  const seeing = { ...parts, store: { ...parts.store, jobs: hiding(parts.store.jobs, hidden) } };
  return withPoints(without(settings.without, seeing, client.db()), at);
});
process.once("SIGTERM", () => {
  void awakeFor(config.graceMs).over.then(() => process.exit(1));
  void worker.stop().then(() => process.exit(0));
});
await report("ready");
