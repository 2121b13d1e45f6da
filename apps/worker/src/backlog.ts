import type { Store } from "@podq/store";
import type { Logger } from "pino";
import { startDuty } from "./duty.ts";
import type { Observer } from "./metrics.ts";

/** Options of {@link startBacklog}: `everyMs` between two looks of the one worker that has the duty. */
export type BacklogOptions = {
  store: Pick<Store, "backlog" | "leases">;
  worker: string;
  everyMs: number;
  log: Logger;
  observer: Pick<Observer, "backlog">;
};

/** Counts all unfinished jobs for the metrics. One worker at a time does, as the answer is the same for all. */
export function startBacklog({ store, worker, everyMs, log, observer }: BacklogOptions): { stop: () => Promise<void> } {
  return startDuty({ duty: "backlog", leases: store.leases, worker, everyMs, log }, async () => {
    observer.backlog(await store.backlog());
  });
}
