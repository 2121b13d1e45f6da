import type { Kind, Owner } from "@podq/jobs";
import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { QueueError } from "./errors.ts";
import type { QueueTelemetry } from "./telemetry.ts";

/** Name of the one BullMQ queue. */
export const queueName = "podq";

/** What BullMQ is told of a job: where to read the rest. `dispatchId` is the id under which it came, if it came in plainly. */
export type Dispatch = { id: string; dispatchId: string | null; kind: Kind; owner: Owner; name: string };

/**
 * The data of a BullMQ job that podq itself added. `free`: its pod was seen without an unfinished job that must run before it, which
 * does not change any more, so nobody need look at the line again.
 */
export type DispatchData = { v: 1; jobId: string; owner: Owner; name: string; free?: boolean | undefined };

/** The nudge that says that a job has ended; every other one only that there is something to read. */
export const overMessage = "over";

/** A job's own message channel in Redis. */
export const jobChannel = (prefix: string, jobId: string): string => `${prefix}:podq:job:${jobId}`;

/** The channel on which workers hear what to do with a job that they run. */
export const orderChannel = (prefix: string): string => `${prefix}:podq:orders`;

/** What a running job's worker can be told at once; the record says the same, for later. */
export type Order = { jobId: string; order: "cancel" | "signal" };

/** The sending side of the dispatcher: everything here may fail or be lost without harm, since MongoDB has the truth. */
export type Dispatcher = ReturnType<typeof createDispatcher>;

const parkMs = 30 * 60_000;
const soonMs = 30_000;
// BullMQ's scores of what is delayed: the time, and room for an order within the millisecond.
const delayedScale = 0x1000;

/** How long a job whose turn it is not is put aside: half an hour to an hour, so that a crowd does not come back at once. */
export function parkDelayMs(): number {
  return parkMs * (1 + Math.random());
}

export function createDispatcher(redis: Redis, prefix: string, answerMs = 3_000, telemetry?: QueueTelemetry) {
  const queue = new Queue<unknown, unknown>(queueName, {
    connection: redis,
    prefix,
    skipWaitingForReady: true,
    ...(telemetry && { telemetry }),
    streams: { events: { maxLen: 1_000 } },
    defaultJobOptions: { removeOnComplete: { age: 3_600, count: 1_000 }, removeOnFail: { age: 3_600, count: 1_000 } },
  });
  queue.on("error", () => undefined); // the call that fails says it

  const inTime = async <T>(what: string, work: Promise<T>): Promise<T> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new QueueError("unreachable", `Redis did not answer within ${answerMs} ms to: ${what}`)), answerMs);
    });
    try {
      return await Promise.race([work, late]);
    } catch (error) {
      if (error instanceof QueueError) throw error;
      throw new QueueError("unreachable", `Redis failed to ${what}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
    }
  };

  const add = async ({ id, kind, owner, name }: Dispatch, free: boolean): Promise<void> => {
    const data: DispatchData = { v: 1, jobId: id, owner, name, ...(free ? { free } : {}) };
    await inTime(`add job ${id}`, queue.add(kind, data, { jobId: id }));
  };

  const stateOf = async (id: string): Promise<string> => inTime(`look up job ${id}`, queue.getJobState(id));

  const promote = async (id: string): Promise<boolean> =>
    inTime(
      `promote job ${id}`,
      queue
        .getBackend()
        .promote(id)
        .then(() => true, isNotDelayed),
    );

  return {
    /** Adds a job that may run now. `free`: its pod has no unfinished job before it. */
    add: async (job: Dispatch, free = false): Promise<void> => add(job, free),

    /**
     * Makes BullMQ bring a job to a worker, whatever it knows of it. One that is active is left to its worker, or to the stall
     * check: whoever puts a job aside looks afterwards whether its turn has come meanwhile.
     */
    async wake(job: Dispatch, free = false): Promise<void> {
      if (job.dispatchId !== null && job.dispatchId !== job.id) {
        const state = await stateOf(job.dispatchId);
        if (state === "delayed") await promote(job.dispatchId);
        if (state !== "unknown" && !isOver(state)) return;
      }
      const state = await stateOf(job.id);
      if (state === "delayed") await promote(job.id);
      if (isOver(state)) await inTime(`remove job ${job.id}`, queue.remove(job.id));
      if (isOver(state) || state === "unknown") await add(job, free);
    },

    /** Those of these jobs that BullMQ neither keeps ready for a worker, nor has brought to one, nor brings within half a minute: in two questions, however many. */
    async asleep(jobs: readonly Dispatch[]): Promise<Dispatch[]> {
      if (jobs.length === 0) return [];
      const awake = new Set(await inTime("list what is ready or under way", queue.getRanges(["waiting", "active"], 0, -1)));
      const soon = Date.now() + soonMs;
      for (const id of await inTime("list what is due soon", redis.zrangebyscore(queue.toKey("delayed"), 0, soon * delayedScale)))
        awake.add(id);
      return jobs.filter(({ id, dispatchId }) => !awake.has(id) && !(dispatchId !== null && awake.has(dispatchId)));
    },

    /** Brings a parked job that ended without a worker to one, which closes it; otherwise it would lie there for up to an hour. */
    async unpark(job: Dispatch): Promise<void> {
      await promote(job.id);
      if (job.dispatchId !== null && job.dispatchId !== job.id) await promote(job.dispatchId);
    },

    /** Tells who follows a job to read again. `over`: it has ended, which is all that some of them wait for. */
    async nudge(jobId: string, over: boolean): Promise<void> {
      await inTime(`nudge the followers of job ${jobId}`, redis.publish(jobChannel(prefix, jobId), over ? overMessage : "read"));
    },

    /** Tells the workers something about a job that one of them runs. */
    async order(order: Order): Promise<void> {
      await inTime(`tell the workers to ${order.order} job ${order.jobId}`, redis.publish(orderChannel(prefix), JSON.stringify(order)));
    },

    /** Whether Redis answers. */
    async ping(): Promise<void> {
      await inTime("ping", redis.ping());
    },

    async close(): Promise<void> {
      await queue.close();
      redis.disconnect();
    },
  };
}

// An add under the id of a finished job would be ignored without a word.
function isOver(state: string): boolean {
  return state === "completed" || state === "failed";
}

/** The queue as bull-board wants it; the one place outside this package that holds a BullMQ object. */
export function openQueueForDashboard(redis: Redis, prefix: string): Queue {
  const queue = new Queue(queueName, { connection: redis, prefix });
  queue.on("error", () => undefined); // the call that fails says it
  return queue;
}

function isNotDelayed(error: unknown): false {
  if (error instanceof Error && /not in the delayed state|Missing key/.test(error.message)) return false;
  throw error;
}
