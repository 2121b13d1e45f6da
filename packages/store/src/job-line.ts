// The line of a pod as MongoDB has it: its unfinished jobs, which are those with the field `line`, in the order of their `seq`.
import { runnable, slotsPerPod, successor } from "@podq/jobs";
import type { mongo } from "mongoose";
import { lineIndex, type JobDocument } from "./job-schema.ts";
import { leaseOver } from "./job-stages.ts";
import { ofOwners } from "./owners.ts";
import { together } from "./together.ts";

/** What of a job its dispatch needs. */
export type LineEntry = Pick<
  JobDocument,
  "_id" | "dispatchId" | "kind" | "owner" | "name" | "podKey" | "state" | "parallel" | "notBefore" | "leaseUntil"
>;

/** The fields of a {@link LineEntry}. */
export const lineFields = {
  _id: 1,
  dispatchId: 1,
  kind: 1,
  owner: 1,
  name: 1,
  podKey: 1,
  state: 1,
  parallel: 1,
  notBefore: 1,
  leaseUntil: 1,
} as const;

const entry = Object.fromEntries(Object.keys(lineFields).map((field) => [field, `$${field}`]));
const lines = { line: { $gt: "" } };
const running = { turn: { $gt: "" }, state: "running" as const };

/** Questions about lines. Those that come at the same time are one query. */
export function createJobLine(jobs: mongo.Collection<JobDocument>, database: mongo.Db) {
  // The first of each line: as many as may ever run at once, however many wait.
  const lookMany = async (podKeys: readonly string[]): Promise<LineEntry[][]> => {
    const [only, ...more] = podKeys;
    if (only === undefined) return [];
    if (more.length === 0)
      return [
        await jobs
          .find<LineEntry>({ line: only }, { projection: lineFields, limit: slotsPerPod, singleBatch: true, sort: { seq: 1 } })
          .toArray(),
      ];
    const first = [{ $sort: { seq: 1 } }, { $limit: slotsPerPod }, { $project: lineFields }];
    const found = await database
      .aggregate<{ _id: number; jobs: LineEntry[] }>([
        { $documents: podKeys.map((line, n) => ({ _id: n, line })) },
        { $lookup: { from: jobs.collectionName, localField: "line", foreignField: "line", pipeline: first, as: "jobs" } },
      ])
      .toArray();
    const byPlace = new Map(found.map(({ _id, jobs }) => [_id, jobs]));
    return podKeys.map((_, n) => byPlace.get(n) ?? []);
  };

  const look = together(lookMany);

  // Answered by the index alone.
  const countMany = async (podKeys: readonly string[]): Promise<number[]> => {
    const [only, ...more] = podKeys;
    if (only === undefined) return [];
    if (more.length === 0) {
      // countDocuments would be an aggregation, which takes the server twice as long.
      const { n } = await database.command({ count: jobs.collectionName, query: { line: only }, hint: lineIndex });
      return [n as number];
    }
    const found = await jobs
      .aggregate<{ _id: string; n: number }>([{ $match: { line: { $in: podKeys } } }, { $group: { _id: "$line", n: { $sum: 1 } } }])
      .toArray();
    const counts = new Map(found.map(({ _id, n }) => [_id, n]));
    return podKeys.map((podKey) => counts.get(podKey) ?? 0);
  };

  return {
    /** How many unfinished jobs a pod has. */
    unfinished: together(countMany),

    /** The names of an owner's pods that have unfinished jobs. */
    names: async (owner: string): Promise<string[]> => jobs.distinct("name", { $or: ofOwners("line", [owner]) }),

    /** How many unfinished jobs are before this one in line. */
    ahead: async (job: JobDocument): Promise<number> => jobs.countDocuments({ line: job.podKey, seq: { $lt: job.seq } }),

    /** The unfinished jobs of a pod that came before this one. */
    pending: async (job: JobDocument): Promise<JobDocument[]> =>
      jobs.find<JobDocument>({ line: job.podKey, seq: { $lt: job.seq } }).toArray(),

    /** The jobs at the head of a pod's line that may run, running ones included. */
    head: async (podKey: string): Promise<LineEntry[]> => runnable(await look(podKey)),

    /** Whether a job that is put aside now would be missed: it may run, or has ended and nobody will wake it again. */
    async isDue({ _id, podKey }: Pick<JobDocument, "_id" | "podKey">): Promise<boolean> {
      const line = await look(podKey);
      if (line.some((job) => job._id === _id)) return runnable(line).some((job) => job._id === _id);
      return line.length < slotsPerPod || (await jobs.countDocuments({ _id, ...lines })) === 0;
    },

    /** Whether a job may run now; `next` is the one job that then may when this one has ended, where that is certain already. */
    async turn(podKey: string, id: string): Promise<{ mayRun: boolean; next: LineEntry | null }> {
      const line = await look(podKey);
      const mayRun = runnable(line).some(({ _id }) => _id === id);
      return { mayRun, next: mayRun ? (successor(line) ?? null) : null };
    },

    /** The jobs that somebody should be running and nobody is: what the sweeper wakes. Costs a step for each line, not for each job in it. */
    async stranded(): Promise<LineEntry[]> {
      const heads = await jobs
        .aggregate<{ head: LineEntry }>([
          { $match: lines },
          { $sort: { line: 1, seq: 1 } },
          { $group: { _id: "$line", head: { $first: entry } } }, // this and the two before it: the index is read at each line's first
          { $match: { $or: [{ "head.parallel": true }, { "head.state": "queued" }] } },
        ])
        .toArray();
      const now = Date.now();
      const may = await Promise.all(heads.map(async ({ head }) => (head.parallel ? runnable(await look(head.podKey)) : [head])));
      const due = may.flat().filter((job) => job.state === "queued" && (job.notBefore?.getTime() ?? 0) <= now);
      // One that runs has its turn wherever it stands: an insert that began before its own may have become visible after its claim.
      const given = await jobs.find<LineEntry>({ ...running, $expr: leaseOver }, { projection: lineFields }).toArray();
      return [...given, ...due];
    },
  };
}
