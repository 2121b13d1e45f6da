import { enqueue } from "@podq/client/handles";
import type { Line } from "@podq/client/line";
import { parseRequest, type JobRequest } from "@podq/jobs";
import type { ExpiringPod, Store } from "@podq/store";
import type { Logger } from "pino";
import { startDuty } from "./duty.ts";
import { idleAt } from "./due.ts";

const atOnce = 100;

/** Options of {@link startExpiry}: `everyMs` between two looks of the one worker that has the duty. */
export type ExpiryOptions = { store: Store; line: Line; worker: string; everyMs: number; log: Logger };

/**
 * Ends pods whose time is over, by jobs like any other: a delete that cancels what is before it when a pod has lived for as long as it
 * may, and a stop or a delete that looks once more at its turn when a pod was idle for that long. Each deadline makes one job, by
 * its idempotency key, however often a worker dies on the way.
 */
export function startExpiry({ store, line, worker, everyMs, log }: ExpiryOptions): { stop: () => Promise<void> } {
  const end = async ({ _id, owner, name }: ExpiringPod, kind: "stop" | "delete", params: object, key: string): Promise<void> => {
    const request = parseRequest(kind, { owner, name, params, idempotencyKey: key }) as JobRequest;
    const job = await enqueue(store, line, request);
    log.info({ job: job._id, pod: _id, kind, deadline: key }, "a pod's time is over");
  };

  const overdue = async (pod: ExpiringPod): Promise<void> => {
    await end(pod, "delete", { cancelPending: true, ifOverdue: true }, `podq:ttl:${pod.generation}:${pod.expiry.ttlAt!.toISOString()}`);
    await store.expiry.fired(pod);
  };

  const maybeIdle = async (pod: ExpiringPod): Promise<void> => {
    const { idleAfterMs, onIdle } = pod.expiry;
    const [at, next] = [await idleAt(store.jobs, pod), new Date(Date.now() + (idleAfterMs ?? 0))];
    if (at !== null && at.getTime() <= Date.now())
      await end(pod, onIdle, { ifIdle: true }, `podq:idle:${pod.generation}:${at.toISOString()}`);
    await store.expiry.lookAgain(pod, at !== null && at.getTime() > Date.now() ? at : next);
  };

  return startDuty({ duty: "expiry", leases: store.leases, worker, everyMs, log }, async (stop) => {
    const each = async (pods: readonly ExpiringPod[], work: (pod: ExpiringPod) => Promise<void>): Promise<void> => {
      for (const pod of pods) {
        if (stop.aborted) return;
        await work(pod).catch((error: unknown) =>
          log.warn({ err: error, pod: pod._id }, "a pod whose time is over could not be ended yet"),
        );
      }
    };
    await each(await store.expiry.overdue(atOnce), overdue);
    await each(await store.expiry.maybeIdle(atOnce), maybeIdle);
  });
}
