// Pieces of update pipelines. Pipelines, because a lease must be set and judged by the server's clock alone.
import type { PipelineStage } from "mongoose";

/** A stage that an update may have. */
export type UpdateStage = Extract<PipelineStage, PipelineStage.Set | PipelineStage.Unset>;

const historyLength = 50;

/** A value that is taken as it is, whatever dollar signs a caller has put into it. */
export function literal(value: unknown): { $literal: unknown } {
  return { $literal: value };
}

/** The server's clock, so many milliseconds from now. */
export function serverTime(plusMs = 0): unknown {
  return plusMs === 0 ? "$$NOW" : { $add: ["$$NOW", plusMs] };
}

/** Counts the write as one that a caller sees, and appends the named fields, and what `more` says, to the bounded history. Goes last. */
export function visible(fields: readonly string[], more: Record<string, unknown> = {}): UpdateStage {
  const version = { $add: ["$version", 1] };
  const entry = { version, at: "$$NOW", ...Object.fromEntries(fields.map((field) => [field, `$${field}`])), ...more };
  return {
    $set: { version, updatedAt: "$$NOW", history: { $slice: [{ $concatArrays: ["$history", [entry]] }, -historyLength] } },
  };
}

/** Versions by the ids of their records. */
export function versionsOf(records: readonly { _id: string; version: number }[]): Map<string, number> {
  return new Map(records.map(({ _id, version }) => [_id, version]));
}
