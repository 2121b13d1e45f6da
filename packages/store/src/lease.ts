import { Schema, type Model } from "mongoose";
import { isDuplicate } from "./errors.ts";
import { literal, serverTime } from "./stages.ts";

export type LeaseDocument = { _id: string; holder: string; until: Date };

export const leaseSchema = new Schema<LeaseDocument>(
  { _id: { type: String, required: true }, holder: { type: String, required: true }, until: { type: Date, required: true } },
  { collection: "leases", versionKey: false, strict: "throw", strictQuery: "throw", autoIndex: false, autoCreate: false },
);

/** Leases on duties that one process at a time does. */
export type LeaseStore = ReturnType<typeof createLeaseStore>;

export function createLeaseStore(model: Model<LeaseDocument>) {
  return {
    /** Takes or renews a duty for so long. False: somebody else has it. */
    async take(duty: string, holder: string, forMs: number): Promise<boolean> {
      const free = { _id: duty, $expr: { $or: [{ $eq: ["$holder", literal(holder)] }, { $lt: ["$until", "$$NOW"] }] } };
      const mine = [{ $set: { holder: literal(holder), until: serverTime(forMs) } }];
      const takeFree = async (): Promise<boolean> => (await model.findOneAndUpdate(free, mine, { updatePipeline: true }).lean()) !== null;
      if (await takeFree()) return true;
      if ((await model.exists({ _id: duty })) !== null) return false;
      try {
        await model.insertOne({ _id: duty, holder: "nobody", until: new Date(0) });
      } catch (error) {
        if (!isDuplicate(error)) throw error;
      }
      return takeFree();
    },
  };
}
