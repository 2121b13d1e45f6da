import { podKey } from "@podq/jobs";
import { Schema, type Model } from "mongoose";
import { isDuplicate, StoreError } from "./errors.ts";
import type { HostDocument } from "./host-schema.ts";
import { ofOwners, ownerText } from "./owners.ts";
import type { PodDocument } from "./pod-schema.ts";
import { createPodStore, type PodStore } from "./pods.ts";
import { createRoom } from "./room.ts";

/** An owner whose pods are limited: what two admissions of his both write, so that they come one after the other. */
export type OwnerDocument = { _id: string; admissions: number };

export const ownerSchema = new Schema<OwnerDocument>(
  { _id: { type: String, required: true }, admissions: { type: Number, required: true } },
  { collection: "owners", versionKey: false, strict: "throw", strictQuery: "throw", autoIndex: false, autoCreate: false },
);

/** What lets pods in where their owners have limits. */
export type AdmissionStore = ReturnType<typeof createAdmissionStore>;

export function createAdmissionStore(owners: Model<OwnerDocument>, pods: Model<PodDocument>, hosts: Model<HostDocument>) {
  const known = async (_id: string): Promise<void> => {
    try {
      await owners.updateOne({ _id }, { $setOnInsert: { admissions: 0 } }, { upsert: true });
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
  };

  return {
    /**
     * Makes a write of one of an owner's pods, unless `refuse` says in words why not, of his other pods that are not deleted. Of those who
     * do so for one owner at once, each sees what the one before it wrote. Throws StoreError `quota-exceeded`.
     */
    async admit(
      { owner, name }: Pick<PodDocument, "owner" | "name">,
      refuse: (others: PodDocument[]) => string | null,
      write: (pods: PodStore) => Promise<PodDocument | null>,
    ): Promise<PodDocument | null> {
      const one = ownerText(owner);
      await known(one);
      const others = { $or: ofOwners("_id", [one]), _id: { $ne: podKey(owner, name) }, status: { $ne: "deleted" as const } };
      return pods.db.transaction(async (session) => {
        await owners.updateOne({ _id: one }, { $inc: { admissions: 1 } }, { session });
        const refusal = refuse(await pods.find(others).session(session).lean<PodDocument[]>());
        if (refusal !== null) throw new StoreError("quota-exceeded", refusal);
        return write(createPodStore(pods, createRoom(pods, hosts, session), session));
      });
    },
  };
}
