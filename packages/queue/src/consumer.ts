import { setTimeout as delay } from "node:timers/promises";
import { DelayedError, Queue, WaitingError, Worker, type Job } from "bullmq";
import type { Redis } from "ioredis";
import { parkDelayMs, queueName } from "./dispatcher.ts";
import type { QueueTelemetry } from "./telemetry.ts";

/** A job as BullMQ hands it to a worker, for the `starts`th time. Nothing in it is to be trusted: anybody may add to a queue. */
export type Delivery = { dispatchId: string; kind: string; data: unknown; timestamp: number; starts: number };

/** What becomes of a delivery. */
export type Disposition =
  | { kind: "done"; value: Summary } // its part is over: BullMQ may forget it
  | { kind: "park"; forMs?: number; lookAgain: () => Promise<boolean> } // put aside; back at once if `lookAgain` says so
  | { kind: "handover" }; // to another worker, at once

/** What BullMQ keeps of a finished job. */
export type Summary = { jobId: string; state: string; exitCode?: number; code?: string; message?: string };

/** Options of {@link startConsumer}. Times in ms. */
export type ConsumerOptions = {
  /** A `worker` connection; the caller closes it. */
  redis: Redis;
  prefix: string;
  /** Deliveries at once. */
  concurrency: number;
  /** Lease of a delivery in Redis. Default 10 s. */
  lockMs?: number;
  /** How often dead workers' deliveries are looked for. Default 5 s. */
  stallCheckMs?: number;
  handle: (delivery: Delivery) => Promise<Disposition>;
  telemetry?: QueueTelemetry | undefined;
  /** Told of what goes wrong outside a delivery. */
  onError: (error: Error) => void;
};

/** The receiving side of the dispatcher. */
export type Consumer = {
  /** What is being worked on, in the order in which it was taken, oldest first. */
  active: () => Promise<Delivery[]>;
  /** Takes nothing more, and resolves when what was taken is done. */
  close: () => Promise<void>;
};

// For BullMQ to note the ends of what was taken, or to move it, and to let go of its connections. Where it cannot, because Redis is
// away, the locks run out and another worker gets it.
const closeWithinMs = 3_000;

/** Starts to take jobs from the queue. */
export function startConsumer(options: ConsumerOptions): Consumer {
  const { redis, prefix, concurrency, lockMs = 10_000, stallCheckMs = 5_000, handle, telemetry, onError } = options;
  const connection = { connection: redis, prefix, ...(telemetry && { telemetry }) };
  const queue = new Queue<unknown, unknown>(queueName, connection);
  const underWay = new Set<Promise<unknown>>();
  const idle = async (): Promise<void> => {
    while (underWay.size > 0) await Promise.allSettled(underWay);
  };
  const handled = async (delivery: Delivery): Promise<Disposition> => {
    const work = handle(delivery);
    underWay.add(work);
    return work.finally(() => underWay.delete(work));
  };
  let closing = false;
  const take = async (job: Job<unknown, Summary>, token?: string): Promise<Summary> => {
    // One whose fetch was under way when the close began.
    const disposition: Disposition = closing ? { kind: "handover" } : await handled(toDelivery(job));
    if (disposition.kind === "done") return disposition.value;
    if (disposition.kind === "handover") {
      await job.moveToWait(token);
      throw new WaitingError();
    }
    await job.moveToDelayed(Date.now() + (disposition.forMs ?? parkDelayMs()), token);
    if (await disposition.lookAgain()) await job.promote().catch(() => undefined); // somebody else was quicker
    throw new DelayedError();
  };
  const worker = new Worker<unknown, Summary>(queueName, take, {
    ...connection,
    concurrency,
    lockDuration: lockMs,
    stalledInterval: stallCheckMs,
    maxStalledCount: 1_000_000,
  });
  worker.on("error", onError);
  queue.on("error", onError);
  return {
    active: async () => (await queue.getJobs(["active"], 0, -1, true)).filter((job) => job !== undefined).map(toDelivery),
    async close() {
      closing = true;
      const closed = worker
        .close()
        .then(async () => queue.close())
        .catch(onError);
      // A close that begins while Redis is away never ends, though all that was taken is done: it waits for a read to come back.
      const late = new AbortController();
      await Promise.race([
        closed,
        idle()
          .then(async () => delay(closeWithinMs, undefined, { signal: late.signal }))
          .catch(() => undefined),
      ]);
      late.abort();
      if (!worker.isRunning()) return;
      void worker.disconnect().catch(() => undefined);
    },
  };
}

function toDelivery(job: Job<unknown, unknown>): Delivery {
  return { dispatchId: job.id ?? "", kind: job.name, data: job.data, timestamp: job.timestamp, starts: job.attemptsStarted };
}
