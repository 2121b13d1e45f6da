import { Schema, type Model } from "mongoose";
import { isDuplicate } from "./errors.ts";

/** A stream of a command. */
export type Stream = "stdout" | "stderr";

/** A piece of output: bytes of one stream from an offset on. */
export type Chunk = { stream: Stream; offset: number; data: Buffer };

export type OutputDocument = Chunk & { job: string; run: number; expiresAt: Date };

/** What the chunks' schemas share. */
export const schemaOptions = { versionKey: false, strict: "throw", strictQuery: "throw", autoIndex: false, autoCreate: false } as const;

export const outputSchema = new Schema<OutputDocument>(
  {
    job: { type: String, required: true },
    run: { type: Number, required: true },
    stream: { type: String, enum: ["stdout", "stderr"], required: true },
    offset: { type: Number, required: true },
    data: { type: Buffer, required: true },
    expiresAt: { type: Date, required: true },
  },
  { ...schemaOptions, collection: "output" },
);
outputSchema.index({ job: 1, run: 1, stream: 1, offset: 1 }, { name: "chunk", unique: true });
outputSchema.index({ expiresAt: 1 }, { name: "ttl", expireAfterSeconds: 0 });

/** 7 days of deadline and 24 h of running, with room. */
export const longestJobMs: number = 9 * 86_400_000;

const piecesAtOnce = 1_024;

/** The output chunks: what commands wrote, in order, readable from any offset. */
export type OutputStore = ReturnType<typeof createOutputStore>;

export function createOutputStore(model: Model<OutputDocument>, options: { retentionMs: number }) {
  // Where the last piece begins that begins before `end`, and the first in any case: found in the index alone. Without such a
  // bound the server sends as many pieces at a time as 16 MB hold, for each reader, however few of them he takes.
  const lastWithin = async (job: string, run: number, stream: Stream, begin: number, end: number): Promise<number> => {
    const within = { job, run, stream, offset: { $gte: begin } };
    const found = await model.find(within, { _id: 0, offset: 1 }).sort({ offset: 1 }).limit(piecesAtOnce).lean<{ offset: number }[]>();
    return found.findLast(({ offset }, n) => n === 0 || offset < end)?.offset ?? begin;
  };

  return {
    /** Stores pieces, each of which begins where its stream's last one ended. False: one of them is there already. */
    async append(job: string, run: number, pieces: readonly Chunk[]): Promise<boolean> {
      const expiresAt = new Date(Date.now() + options.retentionMs + longestJobMs);
      try {
        // Past mongoose, which would copy the bytes twice more; it is their garbage that large outputs cost most.
        await model.collection.insertMany(pieces.map(({ stream, offset, data }) => ({ job, run, stream, offset, data, expiresAt })));
        return true;
      } catch (error) {
        if (isDuplicate(error)) return false;
        throw error;
      }
    },

    /** Removes all that is stored of a job's output. */
    async remove(job: string): Promise<void> {
      await model.deleteMany({ job });
    },

    /** How many bytes of a stream are stored. */
    async size(job: string, run: number, stream: Stream): Promise<number> {
      const last = await model.findOne({ job, run, stream }).sort({ offset: -1 }).lean<OutputDocument>();
      return last === null ? 0 : last.offset + last.data.byteLength;
    },

    /** The stored pieces of a stream from a byte offset on, in order, about `maxBytes` of them; the first is cut to the offset. */
    async read(job: string, run: number, stream: Stream, offset: number, maxBytes: number): Promise<Chunk[]> {
      if (offset === Number.POSITIVE_INFINITY) return []; // whoever does not want this stream
      const holds =
        offset === 0
          ? null
          : await model
              .findOne({ job, run, stream, offset: { $lte: offset } }, { offset: 1 })
              .sort({ offset: -1 })
              .lean<OutputDocument>();
      const begins = holds?.offset ?? offset;
      const ends = Number.isFinite(maxBytes) ? await lastWithin(job, run, stream, begins, offset + maxBytes) : begins + maxBytes;
      const cursor = model
        .find({ job, run, stream, offset: { $gte: begins, $lte: ends } }, { offset: 1, data: 1 })
        .sort({ offset: 1 })
        .lean<OutputDocument>()
        .cursor();
      const pieces: Chunk[] = [];
      let bytes = 0;
      for await (const piece of cursor) {
        const skip = Math.max(0, offset - piece.offset);
        if (skip >= piece.data.byteLength) continue;
        pieces.push({ stream, offset: piece.offset + skip, data: piece.data.subarray(skip) });
        bytes += piece.data.byteLength - skip;
        if (bytes >= maxBytes) break;
      }
      return pieces;
    },
  };
}
