import { setTimeout as delay } from "node:timers/promises";
import type { PodDocument } from "@podq/store";
import type { Db } from "mongodb";
import { idleAfterMs } from "./check/expiry.ts";
import { oneOf, type Dice } from "./dice.ts";
import type { Caller } from "./work/caller.ts";

/** What {@link startIdling} works with. */
export type IdlingMeans = { db: Db; projects: readonly string[]; caller: Caller; roll: Dice };

/**
 * Lets one pod after the other be idle for a short time only, and makes it run again when that was too long. A caller cannot ask for
 * less than a minute, so it is written into the record, as if the create had said so.
 */
export function startIdling({ db, projects, caller, roll }: IdlingMeans): { stop: () => Promise<void> } {
  const stop = new AbortController();
  const pods = db.collection<PodDocument>("pods");
  const one = async (project: string): Promise<void> => {
    const _id = `project/${project}/default`;
    const onIdle = oneOf(roll, ["stop", "delete"] as const);
    const idle = { idleAfterMs, onIdle, usedAt: "$$NOW", lookAt: "$$NOW" };
    const expiry = { $mergeObjects: [{ ttlAt: null, firedAt: null }, { $ifNull: ["$expiry", {}] }, idle] };
    await pods.updateOne({ _id, status: "running" }, [{ $set: { expiry } }]);
    await delay(1.5 * idleAfterMs, undefined, { signal: stop.signal }).catch(() => undefined);
    if (roll(3) === 0) await caller.extend(project);
    await delay(idleAfterMs, undefined, { signal: stop.signal }).catch(() => undefined);
    await pods.updateOne({ _id, expiry: { $type: "object" } }, { $set: { "expiry.idleAfterMs": null, "expiry.lookAt": null } });
    await caller.ask(project, { kind: "create" });
  };
  const running = (async () => {
    while (!stop.signal.aborted) {
      await one(oneOf(roll, projects)).catch(() => undefined); // MongoDB is away
      await delay(300);
    }
  })();
  return {
    async stop() {
      stop.abort();
      await running;
    },
  };
}
