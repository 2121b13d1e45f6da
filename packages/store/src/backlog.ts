import { unfinishedStates, type JobState, type Kind } from "@podq/jobs";
import type { Model } from "mongoose";
import type { JobDocument } from "./job-schema.ts";

/** All unfinished jobs, counted. */
export type Backlog = {
  jobs: { kind: Kind; state: JobState; jobs: number }[];
  /** Pods with unfinished jobs; of those, whose first job nobody runs; unfinished jobs of the pod that has most. */
  lines: number;
  waiting: number;
  longest: number;
};

const inLine = { state: { $in: [...unfinishedStates] } };

/** Counts the unfinished jobs of all pods. Reads each of their records: not for every request. */
export async function readBacklog(model: Model<JobDocument>): Promise<Backlog> {
  const count = { $sum: 1 };
  const [jobs, [lines = { lines: 0, waiting: 0, longest: 0 }]] = await Promise.all([
    model.aggregate<{ _id: Pick<JobDocument, "kind" | "state">; jobs: number }>([
      { $match: inLine },
      { $group: { _id: { kind: "$kind", state: "$state" }, jobs: count } },
    ]),
    model.aggregate<Pick<Backlog, "lines" | "waiting" | "longest">>([
      { $match: inLine },
      { $sort: { podKey: 1, seq: 1 } },
      { $group: { _id: "$podKey", jobs: count, first: { $first: "$state" } } },
      {
        $group: {
          _id: null,
          lines: count,
          waiting: { $sum: { $cond: [{ $eq: ["$first", "queued"] }, 1, 0] } },
          longest: { $max: "$jobs" },
        },
      },
    ]),
  ]);
  const { lines: pods, waiting, longest } = lines;
  return { jobs: jobs.map(({ _id, jobs }) => ({ ..._id, jobs })), lines: pods, waiting, longest };
}
