import type { SignalRecord } from "@podq/jobs";
import type { Claim, JobDocument, Store } from "@podq/store";
import type { Logger } from "pino";

/** A claim while this worker holds it. */
export type Hold = {
  claim: Claim;
  /** Aborts when the job's end is asked for; its reason is the words of whoever asked. */
  cancel: AbortSignal;
  /** Aborts when the work must be left as it is: the lease is lost, or this worker is shutting down. */
  detach: AbortSignal;
  /** What its command is to be sent, as far as is known. */
  signals: Signals;
  /** Whether the lease is still this attempt's, as far as is known. */
  readonly lost: boolean;
  drop: () => void;
};

/** The signals asked for of a job, as its record had them when it was last read. */
type Signals = { all: readonly SignalRecord[]; onMore: () => void };

type Held = { claim: Claim; renewedAt: number; lost: boolean; cancel: AbortController; detach: AbortController; signals: Signals };

/** The leases of one worker, renewed all together. */
export type Leases = {
  hold: (claim: Claim, job: Pick<JobDocument, "cancel" | "signals">) => Hold;
  /** Looks now what was asked of a held job: its end, or a signal to its command. */
  look: (jobId: string) => void;
  /** Lets go of everything: what runs in pods goes on there. */
  detachAll: (why: string) => void;
  stop: () => void;
};

/** Starts renewing, three times a lease. A lease that could not be renewed in time is given up before another worker may take it. */
export function createLeases(jobs: Store["jobs"], worker: string, leaseMs: number, log: Logger): Leases {
  const held = new Map<string, Held>();
  let stopping: string | undefined;
  let renewing: Promise<void> | undefined;

  const lose = (one: Held, why: string): void => {
    one.lost = true;
    log.debug({ job: one.claim.id, attempt: one.claim.attempt }, `lease lost: ${why}`);
    one.detach.abort(new Error(why));
  };

  const renew = async (): Promise<void> => {
    const asked = [...held.values()].filter(({ lost }) => !lost);
    if (asked.length === 0) return;
    const startedAt = performance.now();
    try {
      const kept = new Map(
        (
          await jobs.renew(
            worker,
            asked.map(({ claim }) => claim),
            leaseMs,
          )
        ).map((claim) => [claim.id, claim]),
      );
      for (const one of asked) {
        const mine = kept.get(one.claim.id);
        if (mine === undefined || mine.attempt !== one.claim.attempt) {
          if (held.get(one.claim.id) === one) lose(one, "another worker has the job");
          continue;
        }
        one.renewedAt = startedAt;
        if (mine.cancel !== null) one.cancel.abort(new Error(mine.cancel.reason));
        const known = one.signals.all.at(-1)?.n;
        one.signals.all = mine.signals;
        if (mine.signals.at(-1)?.n !== known) one.signals.onMore();
      }
    } catch (error) {
      log.warn({ err: error, jobs: asked.length }, "could not renew the leases");
    }
  };

  const renewOnce = async (): Promise<void> => {
    renewing ??= renew().finally(() => (renewing = undefined));
    return renewing;
  };
  const giveUpLate = (): void => {
    for (const one of held.values())
      if (!one.lost && performance.now() - one.renewedAt > leaseMs) lose(one, "MongoDB did not take the renewal in time");
  };
  const timer = setInterval(() => {
    giveUpLate();
    void renewOnce();
  }, leaseMs / 3);

  return {
    hold(claim, { cancel, signals }) {
      const one: Held = {
        claim,
        renewedAt: performance.now(),
        lost: false,
        cancel: new AbortController(),
        detach: new AbortController(),
        signals: { all: signals, onMore: () => undefined },
      };
      held.set(claim.id, one);
      if (cancel !== null) one.cancel.abort(new Error(cancel.reason));
      if (stopping !== undefined) one.detach.abort(new Error(stopping));
      return {
        claim,
        cancel: one.cancel.signal,
        detach: one.detach.signal,
        signals: one.signals,
        get lost() {
          return one.lost;
        },
        drop: () => {
          if (held.get(claim.id) === one) held.delete(claim.id);
        },
      };
    },
    look: (jobId) => {
      if (held.has(jobId)) void renewOnce();
    },
    detachAll(why) {
      stopping = why;
      for (const { detach } of held.values()) detach.abort(new Error(why));
    },
    stop: () => clearInterval(timer),
  };
}
