import { Schema, type Model } from "mongoose";
import type { PodDocument } from "./pod-schema.ts";
import { literal } from "./stages.ts";

/** When all pods of a host, those aside in `except`, were last seen to be as their records say. `_id` is the host's name. */
export type SightingDocument = { _id: string; at: Date; except: string[] };

export const sightingSchema = new Schema<SightingDocument>(
  { _id: { type: String, required: true }, at: { type: Date, required: true }, except: { type: [String], required: true } },
  { collection: "sightings", versionKey: false, strict: "throw", strictQuery: "throw", autoIndex: false, autoCreate: false },
);

/** When pods were last seen. One small document a host says it of all of its pods, so that a look at many costs one write. */
export type Sightings = { of: (pod: PodDocument) => Date | null };

/** The sightings of all hosts. */
export type SightingStore = ReturnType<typeof createSightingStore>;

// A list of pods is read page by page; a second's delay is far below what the age of a sighting is shown in.
const keptMs = 1_000;

export function createSightingStore(model: Model<SightingDocument>) {
  let kept: { readAt: number; sightings: Promise<Sightings> } | undefined;

  const read = async (): Promise<Sightings> => {
    const all = new Map((await model.find({}).lean<SightingDocument[]>()).map((one) => [one._id, one]));
    return {
      of({ _id, host, status, observedAt }) {
        const seen = all.get(host.name);
        const counts = seen !== undefined && status !== "deleted" && !seen.except.includes(_id);
        return counts && (observedAt === null || seen.at > observedAt) ? seen.at : observedAt;
      },
    };
  };

  return {
    /** Notes that all pods of a host but these were, so long ago, as their records say. */
    async put(host: string, agoMs: number, except: readonly string[]): Promise<void> {
      const set = { at: { $subtract: ["$$NOW", Math.ceil(agoMs)] }, except: literal([...except]) };
      await model.updateOne({ _id: host }, [{ $set: set }], { updatePipeline: true, upsert: true });
    },

    /** The latest, at most a second old. */
    async latest(): Promise<Sightings> {
      if (kept === undefined || performance.now() - kept.readAt > keptMs) {
        const mine = { readAt: performance.now(), sightings: read() };
        kept = mine;
        mine.sightings.catch(() => (kept = kept === mine ? undefined : kept));
      }
      return kept.sightings;
    },
  };
}
