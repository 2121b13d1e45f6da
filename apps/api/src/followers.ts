import type { Context } from "@podq/client/handles";

/** Waits for one record to change. */
export type Follower = {
  /**
   * Resolves with true when the record is to be read: at the next nudge, or one since the last wait, or when it is found to be newer
   * than `seen`, or gone; with false when nothing happened for so long. Rejects with the signal's reason.
   */
  next: (seen: number, signal: AbortSignal, forMs: number) => Promise<boolean>;
  stop: () => void;
};

/** Follows any number of records of one kind. `follow` one before it is read, not after. */
export type Followers = { follow: (id: string) => Promise<Follower>; stop: () => void };

const lookMs = 1_500;

/** Follows jobs by their ids, and pods by their keys. */
export function createFollowers({ store, listener }: Pick<Context, "store" | "listener">): { jobs: Followers; pods: Followers } {
  const follow = (versions: Versions): Followers => followersOf(versions, async (id, heard) => listener.onNudge(id, heard));
  return { jobs: follow(async (ids) => store.jobs.versions(ids)), pods: follow(async (keys) => store.pods.versions(keys)) };
}

type Versions = (ids: readonly string[]) => Promise<Map<string, number>>;
type Waiter = { seen: number; wake: (read: boolean) => void };

// Nudges may be lost, so there is a look besides: one for all, since a thousand readers who look on their own are a load.
function followersOf(versions: Versions, onNudge: (id: string, heard: () => void) => Promise<() => void>): Followers {
  const waiting = new Map<string, Set<Waiter>>();
  let looking = false;

  const look = async (): Promise<void> => {
    if (looking || waiting.size === 0) return;
    looking = true;
    try {
      const found = await versions([...waiting.keys()]);
      for (const [id, waiters] of waiting)
        for (const { seen, wake } of waiters) if ((found.get(id) ?? Number.POSITIVE_INFINITY) > seen) wake(true);
    } catch {
      // MongoDB is away: the next look may get through
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(() => void look(), lookMs);

  const wait = (id: string, waiter: Waiter): (() => void) => {
    const waiters = waiting.get(id) ?? new Set();
    waiting.set(id, waiters.add(waiter));
    return () => {
      waiters.delete(waiter);
      if (waiters.size === 0 && waiting.get(id) === waiters) waiting.delete(id);
    };
  };

  return {
    async follow(id) {
      let nudged = false;
      let wake: ((read: boolean) => void) | undefined;
      const stop = await onNudge(id, () => {
        nudged = true;
        wake?.(true);
      });
      return {
        stop,
        async next(seen, signal, forMs) {
          signal.throwIfAborted();
          const { promise, resolve, reject } = Promise.withResolvers<boolean>();
          wake = resolve;
          if (nudged) resolve(true);
          const leave = wait(id, { seen, wake: resolve });
          const late = setTimeout(() => resolve(false), forMs);
          const aborted = (): void => reject(signal.reason as Error);
          signal.addEventListener("abort", aborted, { once: true });
          try {
            return await promise;
          } finally {
            nudged = false;
            wake = undefined;
            leave();
            clearTimeout(late);
            signal.removeEventListener("abort", aborted);
          }
        },
      };
    },
    stop: () => clearInterval(timer),
  };
}
