import type { mongo, Model } from "mongoose";
import type { Callback } from "./callback.ts";
import type { JobDocument } from "./job-schema.ts";
import { literal, serverTime } from "./stages.ts";

/** Whether the ends of jobs are told at all, and to which ranges of addresses beside those of the internet: as the API is configured. */
export type WebhookSettings = { on: boolean; allow: string[] };

/** A job whose end is to be told, taken by one process for one try: the one with the number `callback.tries`. */
export type DueDelivery = JobDocument & { callback: Callback };

/** What came of a try. `retryInMs`: when to try again; null if there is nothing more to do. */
export type DeliveryOutcome = {
  status: number | null;
  error: string | null;
  state: "delivered" | "pending" | "failed";
  retryInMs: number | null;
};

/** How the API said that webhooks are to be, as it is stored. */
export type SettingsDocument = WebhookSettings & { _id: string };

/** The telling of jobs' ends. What is to be told is in the jobs' own records; any number of processes may take and send it. */
export type WebhookStore = ReturnType<typeof createWebhookStore>;

const keptTries = 20;
const clockSkewMs = 60_000;
const settingsId = "webhooks";
const nextTry = { $add: ["$callback.tries", 1] };
const logged = { $concatArrays: ["$callback.log", [{ n: nextTry, at: "$$NOW", endedAt: null, status: null, error: null }]] };

const change = (part: object): object => ({ $set: { callback: { $mergeObjects: ["$callback", part] } } });

export function createWebhookStore(model: Model<JobDocument>, meta: mongo.Collection<SettingsDocument>) {
  const jobs = model.collection as unknown as mongo.Collection<JobDocument>;

  return {
    /** As the API last said. */
    async settings(): Promise<WebhookSettings> {
      const { on = false, allow = [] } = (await meta.findOne({ _id: settingsId })) ?? {};
      return { on, allow };
    },

    /** Says it, for whoever enqueues. */
    async configure({ on, allow }: WebhookSettings): Promise<void> {
      await meta.updateOne({ _id: settingsId }, { $set: { on, allow } }, { upsert: true });
    },

    /**
     * Takes the delivery that is due longest, for one try, which must be recorded within `leaseMs`: else somebody takes it again.
     * None to the origins in `except`. Null: none is due.
     */
    async take(leaseMs: number, except: readonly string[] = []): Promise<DueDelivery | null> {
      const due = {
        "callback.dueAt": { $type: "date", $lt: new Date(Date.now() + clockSkewMs) },
        ...(except.length > 0 && { "callback.origin": { $nin: [...except] } }),
        $expr: { $lte: ["$callback.dueAt", "$$NOW"] }, // by the server's clock; the line above only keeps the rest out of sight
      };
      const taken = change({ tries: nextTry, dueAt: serverTime(leaseMs), log: { $slice: [logged, -keptTries] } });
      const options = { sort: { "callback.dueAt": 1 }, hint: { "callback.dueAt": 1 }, returnDocument: "after" } as const;
      return (await jobs.findOneAndUpdate(due, [taken], options)) as DueDelivery | null;
    },

    /** Records what came of a try. False: it came too late, and somebody has begun another. */
    async record({ _id, callback }: DueDelivery, { status, error, state, retryInMs }: DeliveryOutcome): Promise<boolean> {
      const { tries: n } = callback;
      const ended = { $mergeObjects: ["$$t", literal({ status, error }), { endedAt: "$$NOW" }] };
      const log = { $map: { input: "$callback.log", as: "t", in: { $cond: [{ $eq: ["$$t.n", n] }, ended, "$$t"] } } };
      const dueAt = retryInMs === null ? null : serverTime(retryInMs);
      const mine = { _id, "callback.tries": n, "callback.state": "pending" } as mongo.Filter<JobDocument>;
      return (await jobs.updateOne(mine, [change({ state, dueAt, log })])).matchedCount === 1;
    },
  };
}
