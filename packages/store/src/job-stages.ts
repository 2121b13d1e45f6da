import type { Failure, TerminalState } from "@podq/jobs";
import { callbackDue } from "./callback.ts";
import { literal, serverTime, visible, type UpdateStage } from "./stages.ts";

/** How a job ended. */
export type Ending = { state: TerminalState; result: unknown; error: Failure | null; why: string };

const notDue = { $gt: [{ $ifNull: ["$notBefore", "$$NOW"] }, "$$NOW"] };

/** A lease is over. */
export const leaseOver = { $lt: ["$leaseUntil", "$$NOW"] };

const inTime = { $or: [{ $gt: ["$deadlineAt", "$$NOW"] }, { $ne: ["$target", null] }] };

/** A job that a worker may make its own. */
export const claimable = {
  $or: [{ $and: [{ $eq: ["$state", "queued"] }, { $not: [notDue] }, inTime] }, { $and: [{ $eq: ["$state", "running"] }, leaseOver] }],
};

/** Counts what a caller sees of a job. */
export const visibleJob = visible(["state", "attempt"]);

/** An open attempt ends, with the reason. */
export const closeAttempts = (why: unknown): object => ({
  $map: {
    input: "$attempts",
    as: "a",
    in: { $cond: [{ $eq: ["$$a.endedAt", null] }, { $mergeObjects: ["$$a", { endedAt: "$$NOW", why }] }, "$$a"] },
  },
});

/** A job ends. */
export const parted = (ending: Ending, retentionMs: number): UpdateStage[] => [
  {
    $set: {
      state: literal(ending.state),
      result: literal(ending.result),
      error: literal(ending.error),
      endedAt: "$$NOW",
      leaseUntil: null,
      notBefore: null,
      attempts: closeAttempts(literal(ending.why)),
      expiresAt: serverTime(retentionMs),
      callback: callbackDue,
    },
  },
  { $unset: ["line", "turn", "params.env"] },
  visibleJob,
];

/** A job ends that no worker has, and BullMQ may have it parked. */
export const partedUnrun = (ending: Ending, retentionMs: number): UpdateStage[] => [
  { $set: { parked: true } },
  ...parted(ending, retentionMs),
];
