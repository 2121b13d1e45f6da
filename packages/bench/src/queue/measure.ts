import { setTimeout as pause } from "node:timers/promises";
import { BenchError } from "../errors.ts";
import type { Rig } from "./rigs.ts";

/** Times of jobs on idle pods, in ms: until the enqueue returned, and until the handler began. */
export type Waits = { accepted: number[]; started: number[] };

/** One flood: jobs a second from the first enqueue to the last end, and how many began before the one of their pod whose enqueue had returned before. */
export type Flood = { perSecond: number; turned: number };

const LOST_MS = 60_000;
const BREATH_MS = 10;

/** Enqueues jobs one at a time, each to a pod with nothing to do. */
export async function measureWaits(rig: Rig, jobs: number): Promise<Waits> {
  const waits: Waits = { accepted: [], started: [] };
  for (let n = 0; n < jobs; n++) {
    const from = process.hrtime.bigint();
    const id = await rig.add(`idle-${n % 50}`);
    waits.accepted.push(Number(process.hrtime.bigint() - from) / 1e6);
    await until(`the start of job ${id}`, async () => rig.starts.has(id));
    waits.started.push(Number(rig.starts.get(id)![0]! - from) / 1e6);
    await until("an idle line", async () => (await rig.unfinished()) === 0);
    await pause(BREATH_MS);
  }
  rig.starts.clear();
  return waits;
}

/** Enqueues `perPod` jobs for each of so many pods, round and round, `atOnce` enqueues under way, and waits until all have ended. */
export async function measureFlood(rig: Rig, pods: number, perPod: number, atOnce: number): Promise<Flood> {
  const total = pods * perPod;
  const before = await rig.succeeded();
  const ids = Array.from({ length: total }, () => "");
  const added = Array.from({ length: total }, () => ({ from: 0, to: 0 }));
  let next = 0;
  const from = performance.now();
  const producer = async (): Promise<void> => {
    for (let n = next++; n < total; n = next++) {
      const from = performance.now();
      ids[n] = await rig.add(`p${n % pods}`);
      added[n] = { from, to: performance.now() };
    }
  };
  await Promise.all(Array.from({ length: atOnce }, producer));
  await until("the start of every job", async () => rig.starts.size >= total);
  await until("the end of every job", async () => (await rig.unfinished()) === 0);
  const seconds = (performance.now() - from) / 1000;
  await checkFlood(rig, ids, before);
  const beginOf = (n: number): bigint => rig.starts.get(ids[n]!)![0]!;
  const isTurned = (n: number): boolean => added[n - pods]!.to < added[n]!.from && beginOf(n) < beginOf(n - pods);
  const turned = ids.filter((_, n) => n >= pods && isTurned(n)).length;
  if (rig.line === "podq" && turned > 0)
    throw new BenchError("wrong-result", `podq began ${turned} jobs before one that was enqueued earlier`);
  rig.starts.clear();
  return { perSecond: total / seconds, turned };
}

async function checkFlood({ name, line, starts, succeeded }: Rig, ids: readonly string[], before: number | null): Promise<void> {
  const wrong = ids.filter((id) => starts.get(id)?.length !== 1);
  if (wrong.length > 0) throw new BenchError("wrong-result", `${name}: ${wrong.length} of ${ids.length} jobs did not start exactly once`);
  const now = await succeeded();
  if (line !== "bare" && now !== (before ?? 0) + ids.length)
    throw new BenchError(
      "wrong-result",
      `${name}: ${ids.length} jobs were enqueued, the records of ${(now ?? 0) - (before ?? 0)} say succeeded`,
    );
}

async function until(what: string, ask: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + LOST_MS;
  while (!(await ask())) {
    if (performance.now() > giveUpAt) throw new BenchError("wrong-result", `gave up waiting for ${what}`);
    await pause(1);
  }
}
