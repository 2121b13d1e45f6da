import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { createLine, type Line } from "@podq/client/line";
import { connectRedis, createDispatcher, openListener, queueTelemetry, startConsumer, type Consumer, type Listener } from "@podq/queue";
import type { PodDocument, Store } from "@podq/store";
import type { Logger } from "pino";
import type { WorkerConfig } from "./config.ts";
import { execute, type Executor, type Handler } from "./execute.ts";
import { createAim } from "./aim.ts";
import { createShares, type Shares } from "./hosts/shares.ts";
import { createLeases } from "./leases.ts";
import type { Observer } from "./metrics.ts";
import { startExpiry } from "./expiry.ts";
import { startSweeper } from "./sweep.ts";

/** What of a worker's settings its engine reads. */
export type EngineConfig = Pick<WorkerConfig, "redisUrl" | "prefix" | "concurrency" | "leaseMs" | "stallCheckMs" | "sweepMs"> & {
  /** Jobs at once of one host; undefined: as many as there may be at all. */
  hostConcurrency?: number | undefined;
};

/** The part of a worker that takes jobs, keeps their leases and sweeps; what a job does is its handlers' matter. */
export type Engine = {
  readonly worker: string;
  readonly line: Line;
  /** Takes nothing more, leaves what runs to other workers, and closes. */
  stop: () => Promise<void>;
};

/** One handler for jobs of every kind: for who only looks at how jobs come and go. */
export function forAllKinds(handler: Handler): Executor["handlers"] {
  return {
    create: handler,
    exec: handler,
    stop: handler,
    start: handler,
    restart: handler,
    expose: handler,
    unexpose: handler,
    delete: handler,
  };
}

/** Starts an engine. `handlersOf` is given what handlers may use of it; `observer` is told what it does. Throws QueueError. */
export async function startEngine(
  config: EngineConfig,
  store: Store,
  handlersOf: (line: Line, listener: Listener, shares: Shares | undefined) => Executor["handlers"],
  log: Logger,
  observer?: Pick<Observer, "attempt" | "swept" | "lag">,
): Promise<Engine> {
  const { redisUrl, prefix, concurrency, leaseMs, stallCheckMs, sweepMs } = config;
  const worker = `${hostname()}-${process.pid}-${randomBytes(3).toString("hex")}`;
  const telemetry = await queueTelemetry();
  const dispatcher = createDispatcher(await connectRedis(redisUrl, "caller"), prefix, undefined, telemetry);
  const redis = await connectRedis(redisUrl, "worker").catch(async (error: unknown) => {
    await dispatcher.close();
    throw error;
  });
  const line = createLine(store, dispatcher, (error, job) => {
    observer?.lag();
    log.warn({ err: error, job }, "Redis failed; the sweeper will wake the job");
  });
  const leases = createLeases(store.jobs, worker, leaseMs, log);
  const listener = openListener(redisUrl, prefix);
  await listener.onOrder(({ jobId }) => leases.look(jobId));

  const wake = (id: string): void => {
    wakeJob(store, line, id).catch((error: unknown) => log.warn({ err: error, job: id }, "not woken; it comes back by itself"));
  };
  const recordOf = async (podKey: string): Promise<PodDocument | null> => store.pods.get(podKey);
  const { hostConcurrency: most } = config;
  const shares = most === undefined ? undefined : createShares({ most, recordOf, wake });
  const executor: Executor = {
    store,
    line,
    leases,
    aim: createAim(store.jobs),
    consumer: () => consumer,
    handlers: handlersOf(line, listener, shares),
    shares,
    worker,
    leaseMs,
    log,
    observer,
  };
  const consumer: Consumer = startConsumer({
    redis,
    prefix,
    concurrency,
    lockMs: leaseMs,
    stallCheckMs,
    telemetry,
    handle: async (delivery) => execute(executor, delivery),
    onError: (error) => log.warn({ err: error }, "queue"),
  });
  const expiry = startExpiry({ store, line, worker, everyMs: sweepMs, log });
  const sweeper = startSweeper({ store, line, worker, everyMs: sweepMs, log, observer });

  return {
    worker,
    line,
    async stop() {
      const drained = consumer.close();
      leases.detachAll("the worker is shutting down");
      await Promise.all([sweeper.stop(), expiry.stop()]);
      await drained;
      leases.stop();
      listener.close();
      await dispatcher.close();
      redis.disconnect();
    },
  };
}

async function wakeJob(store: Store, line: Line, id: string): Promise<void> {
  const job = await store.jobs.get(id);
  if (job !== null) await line.wake(job, false);
}
