import type { Store } from "@podq/store";
import type { Logger } from "pino";
import { startDuty } from "../duty.ts";
import type { Reconciler } from "./reconciler.ts";

/** Options of {@link startReconciling}: `everyMs` between two ticks of the one worker that has the duty. */
export type ReconcilingOptions = { reconciler: Reconciler; store: Pick<Store, "leases">; worker: string; everyMs: number; log: Logger };

/** Keeps the records of a host's pods in agreement with its cluster, in one worker at a time: the watches are that one's. */
export function startReconciling(
  host: string,
  { reconciler, store, worker, everyMs, log }: ReconcilingOptions,
): { stop: () => Promise<void> } {
  const { tick, end } = reconciler;
  const duty = startDuty({ duty: `reconciler/${host}`, leases: store.leases, worker, everyMs, log, elsewhere: end }, tick);
  return {
    async stop() {
      await duty.stop();
      await end();
    },
  };
}
