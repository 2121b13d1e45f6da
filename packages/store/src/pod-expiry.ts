import type { Model, QueryFilter } from "mongoose";
import type { Expiry, PodDocument } from "./pod-schema.ts";
import { serverTime } from "./stages.ts";

/** A pod whose time may be over. */
export type ExpiringPod = Pick<PodDocument, "_id" | "owner" | "name" | "generation"> & { expiry: Expiry };

/** The ends of pods that come by themselves. */
export type ExpiryStore = ReturnType<typeof createExpiryStore>;

const gone = { $nin: ["deleting" as const, "deleted" as const] };
const without: Omit<Expiry, "usedAt"> = { ttlAt: null, idleAfterMs: null, onIdle: "stop", lookAt: null, firedAt: null };
const fields = { owner: 1, name: 1, generation: 1, expiry: 1 };

// None of these writes counts as a version: whoever works on the pod meanwhile is not to be kept from saying so.
export function createExpiryStore(model: Model<PodDocument>) {
  const passed = async (field: string, filter: object, limit: number): Promise<ExpiringPod[]> =>
    model
      .find({ [field]: { $type: "date", $lte: new Date() }, ...filter }, fields)
      .limit(limit)
      .lean<ExpiringPod[]>();

  return {
    /** Pods that have lived for as long as they may, and nobody has acted upon that. */
    overdue: async (limit: number): Promise<ExpiringPod[]> => passed("expiry.ttlAt", { status: gone, "expiry.firedAt": null }, limit),

    /** Notes that this deadline was acted upon. */
    async fired({ _id, generation, expiry }: ExpiringPod): Promise<void> {
      await model.updateOne({ _id, generation, "expiry.ttlAt": expiry.ttlAt }, { $set: { "expiry.firedAt": new Date() } });
    },

    /** Pods that run and may have been idle for as long as they may. */
    maybeIdle: async (limit: number): Promise<ExpiringPod[]> => passed("expiry.lookAt", { status: "running" }, limit),

    /** When to look again whether a pod is idle. */
    async lookAgain({ _id, generation }: ExpiringPod, at: Date): Promise<void> {
      await model.updateOne({ _id, generation, "expiry.lookAt": { $ne: null } }, { $set: { "expiry.lookAt": at } });
    },

    /** Notes that a pod is in use, and gives it so long to live from now if that is given. Null: there is no such pod. */
    async extend(key: string, ttlMs?: number): Promise<PodDocument | null> {
      const used = { usedAt: "$$NOW", ...(ttlMs === undefined ? {} : { ttlAt: serverTime(ttlMs), firedAt: null }) };
      const expiry =
        ttlMs === undefined
          ? { $cond: [{ $eq: [{ $type: "$expiry" }, "object"] }, { $mergeObjects: ["$expiry", used] }, null] }
          : { $mergeObjects: [without, "$expiry", used] };
      const filter: QueryFilter<PodDocument> = { _id: key, status: gone };
      return model.findOneAndUpdate(filter, [{ $set: { expiry } }], { updatePipeline: true, returnDocument: "after" }).lean<PodDocument>();
    },
  };
}
