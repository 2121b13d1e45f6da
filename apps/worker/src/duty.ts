import { setTimeout as delay } from "node:timers/promises";
import type { Store } from "@podq/store";
import type { Logger } from "pino";

/**
 * Options of {@link startDuty}. `duty` is its name, in the lease as in the log; `everyMs` lies between two turns of whoever has it.
 * `elsewhere` is called at each turn that another worker has.
 */
export type DutyOptions = {
  duty: string;
  leases: Store["leases"];
  worker: string;
  everyMs: number;
  log: Logger;
  elsewhere?: () => Promise<void>;
};

// A turn that begins with Redis or MongoDB away goes from one wait to the next; another worker makes up for it.
const stopWithinMs = 3_000;

/** Work that one worker at a time does, by a lease in MongoDB: it may fail, and is done again at the next turn. `stop` resolves when none is under way, or does not end in three seconds. */
export function startDuty(
  { duty, leases, worker, everyMs, log, elsewhere }: DutyOptions,
  work: (stop: AbortSignal) => Promise<void>,
): { stop: () => Promise<void> } {
  const stop = new AbortController();
  let running: Promise<void> | undefined;

  const turn = async (): Promise<void> => {
    try {
      if (await leases.take(duty, worker, 3 * everyMs)) await work(stop.signal);
      else await elsewhere?.();
    } catch (error) {
      if (!stop.signal.aborted) log.warn({ err: error, duty }, "a turn of a duty failed; the next one is due soon");
    }
  };
  const timer = setInterval(() => {
    running ??= turn().finally(() => (running = undefined));
  }, everyMs);

  return {
    async stop() {
      stop.abort();
      clearInterval(timer);
      if (running === undefined) return;
      const late = new AbortController();
      await Promise.race([running, delay(stopWithinMs, undefined, { signal: late.signal }).catch(() => undefined)]);
      late.abort();
    },
  };
}
