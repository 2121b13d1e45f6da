import type { History } from "./check/history.ts";
import type { Fleet } from "./fleet.ts";
import { channelsLeft, commandsLeft, namespacesLeft, overdueLeft, queueLeft, recordsAside, turnsLeft, untilNone } from "./left-over.ts";
import type { Producers } from "./producers.ts";
import type { Scene } from "./scene.ts";
import type { Caller } from "./work/caller.ts";

/** What a run consists of when its faults are over. `withinMs`: for jobs to end. */
export type Resting = {
  scene: Scene;
  fleet: Fleet;
  producers: Producers;
  caller: Caller;
  projects: readonly string[];
  snapshot: () => Promise<History>;
  withinMs: number;
};

const goneWithinMs = 60_000;
const agreeWithinMs = 30_000;

/** Lets a run come to its end: all ends are told, all pods deleted, all workers stopped. Returns what is left and should not be. */
export async function comeToRest(all: Resting): Promise<string[]> {
  const { scene, fleet, producers, caller, projects, snapshot, withinMs } = all;
  const left: string[] = [];
  if (!(await producers.finish(withinMs))) left.push("callers were not told the ends of all their jobs in time");
  const over = async (): Promise<string[]> =>
    (
      await scene.db
        .collection("jobs")
        .find({ state: { $in: ["queued", "running"] } })
        .toArray()
    ).map(({ _id, state }) => `job ${String(_id)} is still ${state}`);
  left.push(...(await untilNone(over, withinMs)));
  left.push(...(await untilNone(async () => overdueLeft(scene), withinMs)));
  const { jobs } = await snapshot();
  left.push(...(await untilNone(() => commandsLeft(new Set(jobs.flatMap(({ token }) => token ?? []))), 5_000)));
  left.push(...(await untilNone(async () => recordsAside(scene), agreeWithinMs)));
  if (left.length > 0) return left;
  await Promise.all(projects.map(async (project) => (await caller.ask(project, { kind: "delete", clears: false }))?.done));
  left.push(...(await untilNone(async () => namespacesLeft(scene), goneWithinMs)));
  left.push(...(await untilNone(async () => queueLeft(scene), 15_000)));
  left.push(...(await turnsLeft(scene)));
  left.push(...(await fleet.stop(30_000)));
  left.push(...(await untilNone(() => channelsLeft(scene), 15_000)));
  return left;
}
