import type { TemplateBody, TemplateVersion } from "@podq/jobs";
import { Schema, type Model } from "mongoose";
import { canonicalJson } from "./digest.ts";
import { isDuplicate } from "./errors.ts";

/** One version of a template as it is stored, under `py@3`. It never changes; what is deleted stays, so that no number is given twice. */
export type TemplateDocument = TemplateVersion & { _id: string; body: TemplateBody; createdAt: Date; deletedAt: Date | null };

/** One version of a template, as a caller sees it. */
export type TemplateRecord = Omit<TemplateDocument, "_id" | "deletedAt">;

export const templateSchema = new Schema<TemplateDocument>(
  {
    _id: { type: String, required: true },
    name: { type: String, required: true },
    version: { type: Number, required: true },
    body: { type: Schema.Types.Mixed, required: true },
    createdAt: { type: Date, required: true },
    deletedAt: { type: Date, default: null },
  },
  {
    collection: "templates",
    versionKey: false,
    minimize: false,
    strict: "throw",
    strictQuery: "throw",
    autoIndex: false,
    autoCreate: false,
  },
);
templateSchema.index({ name: 1, version: -1 }, { name: "versions", unique: true });

/** The templates, in versions that never change. */
export type TemplateStore = ReturnType<typeof createTemplateStore>;

const most = 1_000;

export function createTemplateStore(model: Model<TemplateDocument>) {
  const newestOf = async (name: string): Promise<TemplateDocument | null> =>
    model.findOne({ name }).sort({ version: -1 }).lean<TemplateDocument>();

  return {
    /** Saves a template, as a new version unless the newest says the same already. */
    async save(name: string, body: TemplateBody): Promise<{ template: TemplateRecord; isNew: boolean }> {
      for (;;) {
        const newest = await newestOf(name);
        if (newest !== null && newest.deletedAt === null && canonicalJson(newest.body) === canonicalJson(body))
          return { template: toTemplateRecord(newest), isNew: false };
        const version = (newest?.version ?? 0) + 1;
        const document = { _id: `${name}@${version}`, name, version, body, createdAt: new Date(), deletedAt: null };
        try {
          await model.insertOne(document);
          return { template: toTemplateRecord(document), isNew: true };
        } catch (error) {
          if (!isDuplicate(error)) throw error; // somebody else saves: look again
        }
      }
    },

    /** A version of a template, or its newest; null: there is none, or it was deleted. */
    async find(name: string, version: number | null): Promise<TemplateRecord | null> {
      const found = version === null ? await newestOf(name) : await model.findById(`${name}@${version}`).lean<TemplateDocument>();
      return found === null || found.deletedAt !== null ? null : toTemplateRecord(found);
    },

    /** What a version says that a create was accepted with, deleted since or not. */
    async bodyOf({ name, version }: TemplateVersion): Promise<TemplateBody | null> {
      return (await model.findById(`${name}@${version}`).lean<TemplateDocument>())?.body ?? null;
    },

    /** The newest version of each template by name, at most a thousand; or all versions of one, newest first. */
    async list(name?: string): Promise<TemplateRecord[]> {
      const found =
        name === undefined
          ? await model.aggregate<TemplateDocument>([
              { $match: { deletedAt: null } },
              { $sort: { name: 1, version: -1 } },
              { $group: { _id: "$name", newest: { $first: "$$ROOT" } } },
              { $replaceRoot: { newRoot: "$newest" } },
              { $sort: { name: 1 } },
              { $limit: most },
            ])
          : await model.find({ name, deletedAt: null }).sort({ version: -1 }).limit(most).lean<TemplateDocument[]>();
      return found.map(toTemplateRecord);
    },

    /** Deletes a template with all of its versions; creates that were accepted with one are made. False: there is none of that name. */
    remove: async (name: string): Promise<boolean> =>
      (await model.updateMany({ name, deletedAt: null }, { $set: { deletedAt: new Date() } })).modifiedCount > 0,
  };
}

function toTemplateRecord({ name, version, body, createdAt }: TemplateDocument): TemplateRecord {
  return { name, version, body, createdAt };
}
