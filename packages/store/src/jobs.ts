import { randomUUID } from "node:crypto";
import { podKey as podKeyOf, slotsPerPod, turnOf, unfinishedStates, type Failure, type JobRequest } from "@podq/jobs";
import type { SignalAnswer, SignalName } from "@podq/jobs";
import { mongo, type Model, type QueryFilter } from "mongoose";
import { refusedCallback } from "./callback.ts";
import { sameDigest } from "./digest.ts";
import { isDuplicate, StoreError } from "./errors.ts";
import type { JobDocument, Target } from "./job-schema.ts";
import { digestParts, newJob } from "./new-job.ts";
import { ofOwners } from "./owners.ts";
import { createLineLengths } from "./line-lengths.ts";
import { createJobLine, lineFields, type LineEntry } from "./job-line.ts";
import { claimable, closeAttempts, parted, partedUnrun, visibleJob, type Ending } from "./job-stages.ts";
import { createJobWrites, held, type Claim } from "./job-writes.ts";
import { literal, serverTime, versionsOf, type UpdateStage } from "./stages.ts";

/** Which jobs a list shows. */
export type JobFilter = {
  podKey?: string;
  podKeyPrefix?: string;
  /** Only jobs of these owners' pods: `project/p1`. */
  owners?: readonly string[];
  state?: JobDocument["state"];
  before?: { createdAt: Date; id: string };
};

/** The jobs collection: the truth about every job, and the lock of every pod. */
export type JobStore = ReturnType<typeof createJobStore>;

const inLine = { state: { $in: [...unfinishedStates] } };
const keptAttempts = 100;
const keptSignals = 100;
const endsLookedAt = 20; // one that was cancelled while it waited may have ended before one that was accepted earlier

export function createJobStore(model: Model<JobDocument>, options: { retentionMs: number; maxBacklog: number }) {
  // The driver's own collection for what every job needs: mongoose would make
  // a document of each record to check what this file has just built, which costs more than the write.
  const jobs = model.collection as unknown as mongo.Collection<JobDocument>;

  const update = async (filter: mongo.Filter<JobDocument>, stages: UpdateStage[]): Promise<JobDocument | null> =>
    jobs.findOneAndUpdate(filter, stages, { returnDocument: "after" });

  const writes = createJobWrites(jobs);
  const { get } = writes;
  const line = createJobLine(jobs, model.db.db!);
  const lengths = createLineLengths(options.maxBacklog);

  return {
    ...line,
    get,

    /** The versions of the jobs with these ids; those that are not known are left out. */
    versions: async (ids: readonly string[]): Promise<Map<string, number>> =>
      versionsOf(await jobs.find({ _id: { $in: [...ids] } }, { projection: { version: 1 } }).toArray()),

    /**
     * Accepts a job: when this returns, it is kept. An id that is there already is the same job and returned as it is; so is a
     * request with an idempotency key that this pod has seen. `behind`: the pod had unfinished jobs, this one perhaps, while it was
     * written; `onFree` is called as soon as it is known to have none. Throws StoreError `conflict`, `backlog-full`.
     */
    async insert(
      id: string,
      request: JobRequest,
      origin: Partial<Pick<JobDocument, "dispatchId" | "retryOf" | "template" | "traceparent">> = {},
      onFree: () => void = () => undefined,
    ): Promise<{ job: JobDocument; behind: boolean }> {
      const podKey = podKeyOf(request.owner, request.name);
      const fits = lengths.takeRoom(podKey);
      const counting = line.unfinished(podKey);
      if (!fits && (await counting) >= options.maxBacklog && (await get(id)) === null)
        throw new StoreError(
          "backlog-full",
          `the line of ${podKey} has ${options.maxBacklog} unfinished jobs; try again when some have ended`,
        );
      const document: JobDocument = { ...newJob(id, request, new Date()), ...origin };
      let behind = true;
      const counted = counting.then((before) => {
        lengths.saw(podKey, before);
        behind = before > 0;
        if (!behind) onFree();
      });
      try {
        await Promise.all([writes.insert(document), counted]);
        return { job: document, behind };
      } catch (error) {
        if (!isDuplicate(error)) throw error;
        const own = await get(id);
        if (own !== null) return { job: own, behind };
        const first = await model.findOne({ podKey, idempotencyKey: request.idempotencyKey }).lean<JobDocument>();
        if (first === null) throw error;
        if (first.kind === request.kind && sameDigest(first.digest, digestParts(request))) return { job: first, behind };
        const key = JSON.stringify(request.idempotencyKey);
        throw new StoreError("conflict", `idempotency key ${key} was used on ${podKey} for another request, job ${first._id}`);
      }
    },

    /** Whether the request's idempotency key was used on its pod before. */
    isRepeated: async ({ owner, name, idempotencyKey }: JobRequest): Promise<boolean> =>
      idempotencyKey !== null && (await model.exists({ podKey: podKeyOf(owner, name), idempotencyKey })) !== null,

    /** Records a request that is not taken, for whoever asks after it. An id that is there already is left as it is. */
    async refuse(
      id: string,
      request: Pick<JobRequest, "kind" | "owner" | "name" | "callback">,
      error: Failure,
      dispatchId: string,
    ): Promise<void> {
      const now = new Date();
      const { line: _outOfLine, ...document } = newJob(
        id,
        {
          ...request,
          params: {} as JobRequest["params"],
          stdin: null,
          idempotencyKey: null,
          deadlineMs: 0,
          maxAttempts: 0,
          labels: {},
        } as JobRequest,
        now,
      );
      const ended = {
        state: "failed" as const,
        parallel: false,
        error,
        dispatchId,
        endedAt: now,
        expiresAt: new Date(now.getTime() + options.retentionMs),
      };
      try {
        await writes.insert({ ...document, ...ended, ...refusedCallback(document, now) });
      } catch (error) {
        if (!isDuplicate(error)) throw error;
      }
    },

    /**
     * Makes a worker the one that runs a job: queued, or running with its lease over, to running. Null if it is neither, or if
     * another job holds the pod. `target`, for an exec that shares its pod with none, is a guess until it is retargeted. One compare-and-set; the unique index
     * on `turn` decides between two that may not share.
     */
    async claim(
      { _id, podKey }: Pick<JobDocument, "_id" | "podKey">,
      worker: string,
      leaseMs: number,
      target: Target | null,
    ): Promise<JobDocument | null> {
      const ticket = randomUUID();
      const claimWith = async (slot: number): Promise<JobDocument | null> => {
        const stages: UpdateStage[] = [
          {
            $set: {
              ticket,
              attempts: {
                $slice: [
                  {
                    $concatArrays: [
                      closeAttempts("the lease ran out"),
                      [{ n: { $add: ["$attempt", 1] }, worker: literal(worker), startedAt: "$$NOW", endedAt: null, why: null }],
                    ],
                  },
                  -keptAttempts,
                ],
              },
              attempt: { $add: ["$attempt", 1] },
              turn: {
                $cond: [
                  { $eq: ["$state", "running"] },
                  "$turn",
                  { $cond: ["$parallel", literal(turnOf(podKey, slot)), literal(turnOf(podKey, "all"))] },
                ],
              },
              state: "running",
              worker: literal(worker),
              leaseUntil: serverTime(leaseMs),
              startedAt: { $ifNull: ["$startedAt", "$$NOW"] },
              target: {
                $ifNull: [
                  "$target",
                  {
                    $cond: [
                      { $and: [{ $eq: ["$kind", "exec"] }, { $not: ["$parallel"] }] },
                      literal(target && { ...target, guess: true }),
                      null,
                    ],
                  },
                ],
              },
              notBefore: null,
            },
          },
          visibleJob,
        ];
        return writes.claim({ ticket, id: _id, filter: { _id, podKey, $expr: claimable }, stages });
      };
      const first = Math.floor(Math.random() * slotsPerPod);
      for (let n = 0; n < slotsPerPod; n++) {
        try {
          return await claimWith((first + n) % slotsPerPod);
        } catch (error) {
          if (!isDuplicate(error)) throw error;
          if (n === 0 && (await get(_id))?.parallel !== true) return null; // it needs all slots, whichever is tried
        }
      }
      return null;
    },

    /** Renews the leases of a worker's jobs in one write, and returns those of them that are still its own. */
    async renew(worker: string, claims: readonly Claim[], leaseMs: number): Promise<Held[]> {
      const mine = { worker, state: "running" as const, $or: claims.map(({ id, attempt }) => ({ _id: id, attempt })) };
      await model.updateMany(mine, [{ $set: { leaseUntil: serverTime(leaseMs) } }], { updatePipeline: true });
      const kept = await model
        .find(mine, { attempt: 1, cancel: 1, signals: 1 })
        .lean<Pick<JobDocument, "_id" | "attempt" | "cancel" | "signals">[]>();
      return kept.map(({ _id: id, attempt, cancel, signals }) => ({ id, attempt, cancel, signals }));
    },

    /** A sign of life of whoever writes a job's stdin. False: the job has ended. */
    beat: async (id: string): Promise<boolean> =>
      (await jobs.updateOne({ _id: id, ...inLine }, { $inc: { stdinBeat: 1 } })).matchedCount === 1,

    /** Makes the caller the one who writes a job's streamed stdin. False: it has none, somebody does already, or the job has ended. */
    takeInput: async (id: string): Promise<boolean> =>
      (await jobs.updateOne({ _id: id, stdinBytes: 0, stdinBeat: 0, ...inLine }, { $inc: { stdinBeat: 1 } })).matchedCount === 1,

    /** Records, before anything is sent there, the pod that this attempt may start its command in. False: the attempt is over. */
    async retarget(claim: Claim, target: Target | null): Promise<boolean> {
      return (await update(held(claim), [{ $set: { target: literal(target) } }])) !== null;
    },

    /** Makes the next attempt a new start of a retryable command, wherever its pod is then. Null: the attempt is over. */
    restart: async (claim: Claim): Promise<JobDocument | null> =>
      update(held(claim), [{ $set: { run: { $add: ["$run", 1] }, target: null } }, visibleJob]),

    /** Ends a job. False: the attempt is over, and somebody else's word counts. */
    end: async (claim: Claim, ending: Ending): Promise<boolean> => writes.end({ claim, stages: parted(ending, options.retentionMs) }),

    /** Back to the line, at its own place, not before the delay is over; an `uncounted` attempt leaves it as many as it had. Null: the attempt is over, or a cancel came and nothing can be left to be ended in the pod. */
    retry: async (claim: Claim, delayMs: number, why: string, uncounted = false): Promise<JobDocument | null> =>
      update({ ...held(claim), $or: [{ cancel: null }, { target: { $ne: null } }] }, [
        { $set: { state: "queued", notBefore: serverTime(delayMs), leaseUntil: null, attempts: closeAttempts(literal(why)) } },
        ...(uncounted ? [{ $set: { maxAttempts: { $add: ["$maxAttempts", 1] } } }] : []),
        { $unset: ["turn"] },
        visibleJob,
      ]),

    /** Gives up a running job without ending it: the next worker may take it over at once. */
    release: async (claim: Claim, why: string): Promise<JobDocument | null> =>
      update(held(claim), [{ $set: { worker: null, leaseUntil: serverTime(-1), attempts: closeAttempts(literal(why)) } }, visibleJob]),

    /**
     * Asks for a job's end: a queued one is cancelled here and now, unless an attempt may have left something running in the
     * pod; else the worker that has or takes it is told by the record. Returns the job as it is then; null: unknown.
     */
    async cancel(id: string, reason: string): Promise<JobDocument | null> {
      const ending: Ending = { state: "cancelled", result: null, error: { code: "cancelled", message: reason }, why: "cancelled" };
      return (
        (await update({ _id: id, state: "queued", target: null }, partedUnrun(ending, options.retentionMs))) ??
        (await update({ _id: id, ...inLine, cancel: null }, [
          { $set: { cancel: { at: "$$NOW", reason: literal(reason) } } },
          visibleJob,
        ])) ??
        (await get(id))
      );
    },

    /** Asks for a signal to the command of a running exec, and returns its number. Null: there is no running exec with this id. */
    async signal(id: string, signal: SignalName): Promise<number | null> {
      const n = { $add: [{ $ifNull: [{ $last: "$signals.n" }, 0] }, 1] };
      const more = { $concatArrays: ["$signals", [{ n, signal: literal(signal), at: "$$NOW", answer: null }]] };
      const job = await update({ _id: id, kind: "exec", state: "running" }, [
        { $set: { signals: { $slice: [more, -keptSignals] } } },
        visibleJob,
      ]);
      return job?.signals.at(-1)?.n ?? null;
    },

    /** Records what became of a signal. False: the attempt is over. */
    async answerSignal(claim: Claim, n: number, answer: SignalAnswer): Promise<boolean> {
      const answered = { $cond: [{ $eq: ["$$s.n", n] }, { $mergeObjects: ["$$s", { answer }] }, "$$s"] };
      return (
        (await update(held(claim), [{ $set: { signals: { $map: { input: "$signals", as: "s", in: answered } } } }, visibleJob])) !== null
      );
    },

    /** Fails the queued jobs whose deadline is over, or only the one with this id, at most `limit` of them, and returns them. */
    async expire(limit: number, id?: string): Promise<JobDocument[]> {
      const ending: Ending = {
        state: "failed",
        result: null,
        error: { code: "deadline-exceeded", message: "its deadline passed before it could run" },
        why: "deadline",
      };
      const due = { state: "queued" as const, target: null, $expr: { $lt: ["$deadlineAt", "$$NOW"] } };
      const ids = await model
        .find({ ...due, deadlineAt: { $lt: new Date() }, ...(id === undefined ? {} : { _id: id }) }, { _id: 1 })
        .limit(limit)
        .lean();
      const ended = await Promise.all(ids.map(({ _id }) => update({ ...due, _id }, partedUnrun(ending, options.retentionMs))));
      return ended.filter((job) => job !== null);
    },

    /** Jobs that ended without a worker and may still be parked in BullMQ. */
    parked: async (limit: number): Promise<LineEntry[]> =>
      jobs.find<LineEntry>({ parked: true }, { projection: lineFields, limit }).toArray(),

    /** Notes that these are parked no more. */
    async unparked(ids: readonly string[]): Promise<void> {
      await jobs.updateMany({ _id: { $in: [...ids] } }, { $unset: { parked: 1 } });
    },

    /** When the last of a pod's jobs ended, those aside that were to end it if it was idle; null if none is known. */
    async lastEnd(podKey: string): Promise<Date | null> {
      const latest = await jobs
        .find({ podKey, "params.ifIdle": { $ne: true } }, { projection: { endedAt: 1 }, sort: { createdAt: -1 }, limit: endsLookedAt })
        .toArray();
      const ends = latest.flatMap(({ endedAt }) => endedAt?.getTime() ?? []);
      return ends.length === 0 ? null : new Date(Math.max(...ends));
    },

    /** Jobs, newest first, at most `limit`. */
    async list({ podKey, podKeyPrefix, owners, state, before }: JobFilter, limit: number): Promise<JobDocument[]> {
      const filter: QueryFilter<JobDocument> = {
        ...(podKey === undefined ? {} : { podKey }),
        ...(podKeyPrefix === undefined ? {} : { podKey: { $gte: podKeyPrefix, $lt: `${podKeyPrefix}\u{10ffff}` } }),
        ...(state === undefined ? {} : { state }),
        ...(owners === undefined ? {} : { $and: [{ $or: ofOwners("podKey", owners) }] }),
        ...(before === undefined
          ? {}
          : { $or: [{ createdAt: { $lt: before.createdAt } }, { createdAt: before.createdAt, _id: { $lt: before.id } }] }),
      };
      return model.find(filter).sort({ createdAt: -1, _id: -1 }).limit(limit).lean<JobDocument[]>();
    },
  };
}

/** A claim that still holds, with what was asked of it meanwhile. */
export type Held = Claim & Pick<JobDocument, "cancel" | "signals">;
