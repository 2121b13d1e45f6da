export { checkCallback } from "./callback.ts";
export { pinnedTemplate } from "./templates.ts";
export { watchJob, type Watch } from "./watch.ts";
import { isTerminal, type JobRequest, type SignalName } from "@podq/jobs";
import type { Dispatcher } from "@podq/queue";
import type { JobDocument, Store } from "@podq/store";

/** Keeps BullMQ in step with the line of a pod, which MongoDB has. */
export type Line = ReturnType<typeof createLine>;

const wokenAtOnce = 100;

/** Told of what failed in Redis: no job is lost by it, the sweeper brings it back. */
export type OnLag = (error: unknown, jobId: string) => void;

/**
 * The moves that producers and workers make alike. None of them throws for Redis: the record is written before, and the
 * sweeper finds what was not dispatched.
 *
 *   enqueue: count and insert.  nobody before -> add while the insert is under way
 *                                behind others -> look, and add if the turn came meanwhile
 *   end:     save, then look.    wake each job that may run now
 *
 * So BullMQ is told of a job when its turn has come, and what waits costs it nothing. No turn is missed: both sides look after
 * their own write, so whoever writes last sees what the other wrote.
 */
export function createLine(store: Pick<Store, "jobs" | "input">, dispatcher: Dispatcher, onLag: OnLag) {
  const lagging = async (jobId: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      onLag(error, jobId);
    }
  };

  const wakeNext = async (podKey: string): Promise<void> => {
    const waiting = (await store.jobs.head(podKey)).filter((job) => job.state === "queued");
    await Promise.all(waiting.map((job) => lagging(job._id, async () => dispatcher.wake(dispatchOf(job), true))));
  };

  return {
    wakeNext,

    /** Hands an accepted job to BullMQ; `behind` others or not is only a guess at whether it is worth a worker's look now. */
    async dispatch(job: JobDocument, behind: boolean): Promise<void> {
      await lagging(job._id, async () => {
        if (!behind || cancelsPending(job)) return dispatcher.add(dispatchOf(job)); // not as free: nobody has looked since it was inserted
        if ((await store.jobs.turn(job.podKey, job._id)).mayRun) await dispatcher.add(dispatchOf(job), true);
      });
    },

    /** Hands a job to BullMQ before its insert is confirmed: its pod is free, and a worker that finds no record yet comes back. */
    announce: async (_id: string, request: JobRequest): Promise<void> =>
      lagging(_id, async () => dispatcher.add(dispatchOf({ ...request, _id, dispatchId: null }), true)),

    /** Wakes one job, whatever BullMQ knows of it. `free`: nobody is before it any more. */
    wake: async (job: Parameters<typeof dispatchOf>[0], free: boolean): Promise<void> =>
      lagging(job._id, async () => dispatcher.wake(dispatchOf(job), free)),

    /** Wakes those of these jobs, which nobody is before, that BullMQ is not about already. Returns how many that were. Throws QueueError. */
    async wakeAsleep(jobs: readonly Parameters<typeof dispatchOf>[0][], stop: AbortSignal): Promise<number> {
      const asleep = await dispatcher.asleep(jobs.map(dispatchOf));
      for (let n = 0; n < asleep.length && !stop.aborted; n += wokenAtOnce)
        await Promise.all(asleep.slice(n, n + wokenAtOnce).map(async (job) => lagging(job.id, async () => dispatcher.wake(job, true))));
      return asleep.length;
    },

    /** Brings jobs that ended without a worker to one, where BullMQ has them parked, so that their entries are closed. Returns those seen to. */
    async unpark(jobs: readonly Parameters<typeof dispatchOf>[0][]): Promise<string[]> {
      const seen: string[] = [];
      for (const job of jobs)
        await lagging(job._id, async () => {
          await dispatcher.unpark(dispatchOf(job));
          seen.push(job._id);
        });
      return seen;
    },

    /** Tells the followers of a job to read it again; `over`: that it has ended. */
    nudge: async (jobId: string, over = false): Promise<void> => lagging(jobId, async () => dispatcher.nudge(jobId, over)),

    /** Tells those who send deliveries that one is due. A job without a callback has none. */
    nudgeDelivery: async (job: Pick<JobDocument, "_id" | "callback">): Promise<void> => {
      if (job.callback !== undefined) await lagging(job._id, async () => dispatcher.nudge(deliveryNudges, false));
    },

    /** Tells who writes or reads a job's standard input that there is more of it, or more room. */
    nudgeInput: async (jobId: string): Promise<void> => lagging(jobId, async () => dispatcher.nudge(inputNudges(jobId), false)),

    /** Asks for a signal to a running exec's command, and tells its worker at once. Returns the signal's number; null: no such exec runs. */
    async signal(id: string, signal: SignalName): Promise<number | null> {
      const n = await store.jobs.signal(id, signal);
      if (n !== null) await lagging(id, async () => dispatcher.order({ jobId: id, order: "signal" }));
      return n;
    },

    /** What follows on a job's end in the line, by its deadline. */
    async expired(job: JobDocument): Promise<void> {
      if (job.stdinBytes !== null) await store.input.remove(job._id);
      await Promise.all([
        this.nudge(job._id, true),
        this.nudgeDelivery(job),
        lagging(job._id, async () => dispatcher.unpark(dispatchOf(job))),
        wakeNext(job.podKey),
      ]);
    },

    /** Asks for a job's end, and tells its worker at once. Null: there is no such job. */
    async cancel(id: string, reason: string): Promise<JobDocument | null> {
      const job = await store.jobs.cancel(id, reason);
      if (job === null) return null;
      await lagging(id, async () => {
        if (job.state === "running") await dispatcher.order({ jobId: id, order: "cancel" });
        else if (job.state === "queued") await dispatcher.wake(dispatchOf(job), false);
        else await dispatcher.unpark(dispatchOf(job));
        await dispatcher.nudge(id, isTerminal(job.state));
      });
      if (job.state === "cancelled") {
        await this.nudgeDelivery(job);
        if (job.stdinBytes !== null) await store.input.remove(id);
        await wakeNext(job.podKey);
      }
      return job;
    },
  };
}

/** Where those who send deliveries are nudged. No job has such an id. */
export const deliveryNudges = "webhooks";

/** Where a job's input is nudged about: apart from the job, whose followers would all read it again. */
export function inputNudges(jobId: string): string {
  return `${jobId}:stdin`;
}

/** Whether the job is one that clears its line: it is brought to a worker at once, which cancels what is before it. */
export function cancelsPending(job: Pick<JobDocument, "kind" | "params">): boolean {
  return job.kind === "delete" && "cancelPending" in job.params && job.params.cancelPending === true;
}

function dispatchOf(job: Pick<JobDocument, "_id" | "dispatchId" | "kind" | "owner" | "name">): Parameters<Dispatcher["add"]>[0] {
  return { id: job._id, dispatchId: job.dispatchId, kind: job.kind, owner: job.owner, name: job.name };
}
