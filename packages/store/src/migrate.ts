import { unfinishedStates } from "@podq/jobs";
import { mongo } from "mongoose";
import { StoreError } from "./errors.ts";

/**
 * Brings data of an earlier version to this one, before the indexes are made. No process of an earlier version may be running: throws
 * StoreError `unfit` while workers are. Each step may be begun again.
 *
 *   2: a job in line says so in a field of its own, `line`, which an index can hold without a look at the record
 */
export async function migrate(database: mongo.Db, from: number): Promise<void> {
  if (from >= 2) return;
  const live = await database.collection("leases").countDocuments({ $expr: { $gt: ["$until", "$$NOW"] } });
  if (live > 0)
    throw new StoreError(
      "unfit",
      `the data in MongoDB is of version ${from}, and workers of that version are at it; stop them and all other podq processes, then start this one`,
    );
  const jobs = database.collection("jobs");
  await jobs.updateMany({ state: { $in: [...unfinishedStates] }, line: { $exists: false } }, [{ $set: { line: "$podKey", ticket: null } }]);
  await jobs.dropIndex("line").catch(ignoreAbsent);
}

function ignoreAbsent(error: unknown): void {
  if (error instanceof mongo.MongoServerError && (error.codeName === "IndexNotFound" || error.codeName === "NamespaceNotFound")) return;
  throw error;
}
