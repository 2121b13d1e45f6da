import type { Failure } from "@podq/jobs";
import { Schema, type SchemaDefinition } from "mongoose";

/** What came of trying; `enforced` is null where that could not be found out. */
export type NetworkTrial = { enforced: boolean | null; detail: string; at: Date };

/** A host as the workers know it; `_id` is its name. What nobody has looked at yet is null. */
export type HostDocument = {
  _id: string;
  address: string;
  port: number;
  username: string;
  labels: Record<string, string>;
  weight: number;
  /** Pods at most; null: no bound. */
  capacity: number | null;
  drained: boolean;
  whenDown: "wait" | "fail" | null;
  /** uid of its cluster, by which two hosts of one cluster are told. */
  cluster: string | null;
  up: boolean | null;
  error: (Failure & { at: Date }) | null;
  /** When it last answered, and when it was last asked: to the minute, as long as nothing changes. */
  seenAt: Date | null;
  lookedAt: Date | null;
  /** Whether its cluster's network does what NetworkPolicies say, as it was found by trying; null: nobody has tried. */
  network: NetworkTrial | null;
  /** Grows with each pod that is placed within a capacity. */
  placements: number;
};

const optional = (type: unknown): object => ({ type, default: null });
const part = (fields: SchemaDefinition): Schema => new Schema(fields, { _id: false });

export const hostSchema = new Schema<HostDocument>(
  {
    _id: { type: String, required: true },
    address: String,
    port: Number,
    username: String,
    labels: Schema.Types.Mixed,
    weight: Number,
    capacity: optional(Number),
    drained: Boolean,
    whenDown: optional(String),
    cluster: optional(String),
    up: optional(Boolean),
    error: optional(part({ code: String, message: String, at: Date })),
    seenAt: optional(Date),
    lookedAt: optional(Date),
    network: optional(part({ enforced: optional(Boolean), detail: String, at: Date })),
    placements: { type: Number, required: true },
  },
  { collection: "hosts", versionKey: false, minimize: false, strict: "throw", strictQuery: "throw", autoIndex: false, autoCreate: false },
);
