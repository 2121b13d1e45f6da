// A worker in a process of its own whose commands on busy pods never end, and elsewhere do nothing.
import { settingsOf } from "../child.ts";
import { startBenchEngine, type EngineSettings } from "../engine.ts";

/** The start of a handler: which job, when by the machine's monotonic clock in ns as text, and whether its pod is a busy one. */
export type BacklogStart = { id: string; at: string; busy: boolean };

const undo: (() => Promise<unknown>)[] = [];
const settings = await settingsOf<EngineSettings>(async () => {
  for (const one of undo.toReversed()) await one();
});
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
await startBenchEngine(settings, handler, undo);
process.send?.("ready");
