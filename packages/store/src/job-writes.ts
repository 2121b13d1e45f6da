// The three durable writes of every job, and the reads beside them. What comes at the same time goes in one command: alone, a
// command costs the server and the driver several times what is in it.
import { isTerminal } from "@podq/jobs";
import { mongo } from "mongoose";
import { StoreError } from "./errors.ts";
import type { JobDocument } from "./job-schema.ts";
import type { UpdateStage } from "./stages.ts";
import { together } from "./together.ts";

/** A job as one attempt holds it. */
export type Claim = { id: string; attempt: number };

/** One compare-and-set that makes a job a worker's; its stages set `ticket`. */
export type ClaimWrite = { ticket: string; id: string; filter: mongo.Filter<JobDocument>; stages: UpdateStage[] };

/** The end of an attempt. */
export type EndWrite = { claim: Claim; stages: UpdateStage[] };

/** A filter for what an attempt still holds. */
export const held = ({ id, attempt }: Claim): mongo.Filter<JobDocument> => ({ _id: id, state: "running", attempt });

/** The writes of jobs, each as if it were alone. */
export function createJobWrites(jobs: mongo.Collection<JobDocument>) {
  const insertMany = async (documents: readonly JobDocument[]): Promise<(true | Error)[]> => {
    const [only, ...more] = documents;
    if (only !== undefined && more.length === 0) return [(await jobs.insertOne(only, { ignoreUndefined: true })).acknowledged as true];
    const errors = await errorsOf(jobs.insertMany([...documents], { ordered: false, ignoreUndefined: true }));
    return documents.map((_, n) => errors.get(n) ?? true);
  };

  const claimMany = async (claims: readonly ClaimWrite[]): Promise<(JobDocument | null | Error)[]> => {
    const [only, ...more] = claims;
    if (only === undefined) return [];
    if (more.length === 0) return [await jobs.findOneAndUpdate(only.filter, only.stages, { returnDocument: "after" })];
    const writes = claims.map(({ filter, stages }) => ({ updateOne: { filter, update: stages } }));
    const errors = await errorsOf(jobs.bulkWrite(writes, { ordered: false }));
    // The server does not say which of them took: the tickets do.
    const mine = { _id: { $in: claims.map(({ id }) => id) }, ticket: { $in: claims.map(({ ticket }) => ticket) } };
    const taken = new Map((await jobs.find<JobDocument>(mine).toArray()).map((job) => [job.ticket, job]));
    return claims.map(({ ticket }, n) => errors.get(n) ?? taken.get(ticket) ?? null);
  };

  const endMany = async (ends: readonly EndWrite[]): Promise<(boolean | Error)[]> => {
    const [only, ...more] = ends;
    if (only !== undefined && more.length === 0) return [(await jobs.updateOne(held(only.claim), only.stages)).matchedCount === 1];
    const writes = ends.map(({ claim, stages }) => ({ updateOne: { filter: held(claim), update: stages } }));
    let matched = 0;
    const errors = await errorsOf(jobs.bulkWrite(writes, { ordered: false }).then(({ matchedCount }) => (matched = matchedCount)));
    if (matched === ends.length) return ends.map(() => true);
    // The number of an attempt is one worker's: that it is over at this number is this worker's word.
    const projection = { state: 1, attempt: 1 };
    const now = await jobs.find({ _id: { $in: ends.map(({ claim }) => claim.id) } }, { projection }).toArray();
    const overAt = new Map(now.filter(({ state }) => isTerminal(state)).map(({ _id, attempt }) => [_id, attempt]));
    return ends.map(({ claim }, n) => errors.get(n) ?? overAt.get(claim.id) === claim.attempt);
  };

  const getMany = async (ids: readonly string[]): Promise<(JobDocument | null)[]> => {
    const found = new Map((await jobs.find<JobDocument>({ _id: { $in: [...ids] } }).toArray()).map((job) => [job._id, job]));
    return ids.map((id) => found.get(id) ?? null);
  };

  return {
    /** Writes a record. Throws what {@link isDuplicate} knows if there is one that excludes it. */
    insert: together(insertMany),
    /** The job as it was claimed; null: its filter did not match. */
    claim: together(claimMany),
    /** Whether the attempt still held the job, which has ended then. */
    end: together(endMany),
    get: together(getMany),
  };
}

// What failed of a write of many, by its place; a failure of the whole is thrown.
async function errorsOf(write: Promise<unknown>): Promise<Map<number, Error>> {
  try {
    await write;
    return new Map();
  } catch (error) {
    if (!(error instanceof mongo.MongoBulkWriteError)) throw error;
    const failed = [error.writeErrors].flat();
    if (failed.length === 0) throw causeOf(error);
    return new Map(
      failed.map(({ index, code, errmsg }) => [index, new mongo.MongoServerError({ code, errmsg: errmsg ?? "the write failed" })]),
    );
  }
}

// The driver wraps what it throws itself, a lost connection for one, in an error of the write, which looks like the server's; and of a
// write that was made and not confirmed it forgets the labels by which that is known.
function causeOf(error: mongo.MongoBulkWriteError): Error {
  const cause: unknown = error.errorResponse;
  return cause instanceof Error
    ? cause
    : new StoreError("unreachable", `MongoDB did not confirm a write: ${error.message}`, { cause: error });
}
