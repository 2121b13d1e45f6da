import type { DeliveryRecord, Failure, JobState, Kind, Owner, SignalRecord } from "@podq/jobs";
import { toDeliveryRecord, type Attempt, type JobDocument } from "@podq/store";

/** Where a job stands. */
export type JobStatus = {
  id: string;
  kind: Kind;
  owner: Owner;
  name: string;
  state: JobState;
  /** How many unfinished jobs are before it in its pod's line; null once it is not queued. */
  position: number | null;
  /** Each try: which worker, from when to when, and in words why it ended. */
  attempts: Attempt[];
  error: Failure | null;
  /** How often its command was begun anew, and once: grows only if it is `retryable`. */
  run: number;
  /** Signals that its command was to be sent, the last hundred, and what became of each. */
  signals: SignalRecord[];
  labels: Record<string, string>;
  retryOf: string | null;
  /** The telling of its end to its callback URL; null if it has none. Goes on after the end, and is not counted in `version`. */
  callback: DeliveryRecord | null;
  /** Grows with each change that a caller can see. */
  version: number;
  createdAt: Date;
  startedAt: Date | null;
  endedAt: Date | null;
};

/** The part of a job's document that callers see. */
export function toJobStatus(job: JobDocument, position: number | null): JobStatus {
  const { _id: id, kind, owner, name, state, attempts, error, run, signals } = job;
  const { labels, retryOf, version, createdAt, startedAt, endedAt } = job;
  const callback = job.callback === undefined ? null : toDeliveryRecord(job.callback);
  const shown = { id, kind, owner, name, state, position, attempts, error, run, signals, labels, retryOf, callback };
  return { ...shown, version, createdAt, startedAt, endedAt };
}
