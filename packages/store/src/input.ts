import { Schema, type Model } from "mongoose";
import { longestJobMs, schemaOptions } from "./chunks.ts";
import { isDuplicate } from "./errors.ts";

/** A piece of standard input. An empty one is its end: there is none in what was given whole and is not large. */
export type InputDocument = { job: string; offset: number; data: Buffer; expiresAt: Date };

export const inputSchema = new Schema<InputDocument>(
  {
    job: { type: String, required: true },
    offset: { type: Number, required: true },
    data: { type: Buffer }, // `required` would refuse the empty one
    expiresAt: { type: Date, required: true },
  },
  { ...schemaOptions, collection: "input" },
);
inputSchema.index({ job: 1, offset: 1 }, { name: "chunk", unique: true });
inputSchema.index({ expiresAt: 1 }, { name: "ttl", expireAfterSeconds: 0 });

const chunkBytes = 262_144;
const largestPut = 4_194_304;

/** Whether a job's stdin is fed to its command while that runs: a stream, or so much that the pod should not keep it whole. */
export function isFedLive(stdin: Uint8Array | "stream" | null): boolean {
  return stdin === "stream" || (stdin !== null && stdin.byteLength > largestPut);
}

/** The input chunks: stdin, from the enqueue to the end of its job. */
export type InputStore = ReturnType<typeof createInputStore>;

export function createInputStore(model: Model<InputDocument>) {
  const last = async (job: string, offset?: number): Promise<InputDocument | null> =>
    model
      .findOne({ job, ...(offset !== undefined && { offset: { $lte: offset } }) })
      .sort({ offset: -1 })
      .lean<InputDocument>();

  const append = async (job: string, offset: number, data: Uint8Array): Promise<void> => {
    try {
      // Past mongoose, which would copy the bytes twice more; it is their garbage that large inputs cost most.
      const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      await model.collection.insertOne({ job, offset, data: bytes, expiresAt: new Date(Date.now() + longestJobMs) });
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
  };

  return {
    /** Stores a piece of a stdin that is being written; an empty one is its end. Storing the same again is success. */
    append,

    /** Stores a job's stdin whole; storing the same again is success. */
    async put(job: string, bytes: Uint8Array): Promise<void> {
      for (let offset = 0; offset < bytes.byteLength; offset += chunkBytes)
        await append(job, offset, bytes.subarray(offset, offset + chunkBytes));
      if (isFedLive(bytes)) await append(job, bytes.byteLength, new Uint8Array());
    },

    /** A job's stdin, piece by piece. */
    async *read(job: string): AsyncGenerator<Buffer> {
      for await (const piece of model.find({ job }, { data: 1 }).sort({ offset: 1 }).lean<InputDocument>().cursor()) yield piece.data;
    },

    /** The piece that holds a byte, or the end if that is there; null: neither is stored yet. */
    async pieceAt(job: string, offset: number): Promise<{ offset: number; data: Buffer } | null> {
      const piece = await last(job, offset);
      if (piece === null || (piece.data.byteLength > 0 && piece.offset + piece.data.byteLength <= offset)) return null;
      return { offset: piece.offset, data: piece.data };
    },

    /** Whether the end of a job's stdin is stored. */
    isWhole: async (job: string): Promise<boolean> => (await last(job))?.data.byteLength === 0,

    /** Where the stored part of a job's stdin begins; null: nothing of it is stored. */
    async begins(job: string): Promise<number | null> {
      const first = await model.findOne({ job }, { offset: 1 }).sort({ offset: 1 }).lean<InputDocument>();
      return first?.offset ?? null;
    },

    /** Removes the pieces before the one that holds a byte. */
    async removeBefore(job: string, offset: number): Promise<void> {
      const piece = await model
        .findOne({ job, offset: { $lte: offset } }, { offset: 1 })
        .sort({ offset: -1 })
        .lean<InputDocument>();
      if (piece !== null) await model.deleteMany({ job, offset: { $lt: piece.offset } });
    },

    /** Removes a job's stdin. */
    async remove(job: string): Promise<void> {
      await model.deleteMany({ job });
    },
  };
}
