import type { Line } from "@podq/client/line";
import type { Store } from "@podq/store";
import type { Logger } from "pino";
import { startDuty } from "./duty.ts";
import type { Observer } from "./metrics.ts";

const expiredAtOnce = 500;
const closedAtOnce = 500;

/** Options of {@link startSweeper}: `everyMs` between two looks of the one worker that has the duty. */
export type SweeperOptions = {
  store: Store;
  line: Line;
  worker: string;
  everyMs: number;
  log: Logger;
  observer?: Pick<Observer, "swept"> | undefined;
};

/**
 * Finds the jobs that somebody should be running and nobody is, and brings them back to BullMQ: what a producer could not
 * dispatch, what Redis lost, what a dead worker held. It also closes BullMQ's entries of jobs that
 * ended without a worker. One worker at a time has the duty, by a lease in MongoDB.
 */
export function startSweeper({ store, line, worker, everyMs, log, observer }: SweeperOptions): { stop: () => Promise<void> } {
  return startDuty({ duty: "sweeper", leases: store.leases, worker, everyMs, log }, async (stop) => {
    const expired = await store.jobs.expire(expiredAtOnce);
    for (const job of expired) {
      log.warn({ job: job._id, pod: job.podKey }, "its deadline passed before it could run");
      await line.expired(job);
    }
    const parked = await store.jobs.parked(closedAtOnce);
    if (parked.length > 0) await store.jobs.unparked(await line.unpark(parked));
    const stranded = await line.wakeAsleep(await store.jobs.stranded(), stop);
    observer?.swept({ stranded, expired: expired.length });
    if (stranded > 0) log.debug({ jobs: stranded }, "woke what should run");
  });
}
