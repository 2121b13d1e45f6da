import { randomUUID } from "node:crypto";
import type { DeliveryRecord, JobRequest } from "@podq/jobs";
import { Schema } from "mongoose";

/**
 * Where and how a job's end is told, kept in the job's own record, so that the write that ends the job is the one that makes the
 * telling due. `origin` is where it goes, `token` whose key signs it, null for the installation's; `dueAt` is also the lease of
 * whoever sends it just now. A job that nobody is to be told of has none.
 */
export type Callback = Omit<DeliveryRecord, "nextAt"> & { origin: string; token: string | null; dueAt: Date | null };

const part = (fields: object): Schema => new Schema(fields, { _id: false });
const tries = [part({ n: Number, at: Date, endedAt: Date, status: Number, error: String })];

/** Its part of the job's schema. */
export const callbackSchema = part({
  id: String,
  url: String,
  origin: String,
  token: String,
  state: String,
  tries: Number,
  dueAt: Date,
  log: tries,
});

/** What a new job has of it. */
export function newCallback(asked: JobRequest["callback"]): { callback?: Callback } {
  if (asked === null) return {};
  const { origin } = new URL(asked.url);
  return { callback: { id: `msg_${randomUUID()}`, ...asked, origin, state: "waiting", tries: 0, dueAt: null, log: [] } };
}

/** In the update that ends a job: makes its telling due, by the server's clock. A job without a callback stays without. */
export const callbackDue = {
  $cond: [{ $eq: [{ $type: "$callback" }, "object"] }, { $mergeObjects: ["$callback", { state: "pending", dueAt: "$$NOW" }] }, "$$REMOVE"],
};

/** The same for a record that is written with its end in it. */
export function refusedCallback({ callback }: { callback?: Callback }, now: Date): { callback?: Callback } {
  return callback === undefined ? {} : { callback: { ...callback, state: "pending", dueAt: now } };
}

/** The part that callers see. */
export function toDeliveryRecord({ id, url, state, tries, dueAt, log }: Callback): DeliveryRecord {
  return { id, url, state, tries, nextAt: dueAt, log };
}
