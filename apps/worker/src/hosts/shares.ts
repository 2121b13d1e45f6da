import type { PodDocument } from "@podq/store";

/** Options of {@link createShares}: `most` jobs of one host at once, `wake` brings a job back to a worker. */
export type ShareOptions = { most: number; recordOf: (podKey: string) => Promise<PodDocument | null>; wake: (jobId: string) => void };

/** What of a worker's jobs at once each host may take, so that one which hangs leaves room for the others. */
export type Shares = ReturnType<typeof createShares>;

/** What became of a job that asked for its host's share: `leave` it at the end, or come back later, at the latest `forMs` from now. */
export type Entry = { leave: () => void } | { forMs: number; isFree: () => boolean };

const remembered = 10_000;
const shortestMs = 1_000;
const eachMs = 20;
const longestMs = 25_000; // the sweeper leaves alone what comes back by itself within 30 s

/** Counts the jobs of each host. Whoever leaves brings back one that was turned away; should that be missed, it comes by itself. */
export function createShares({ most, recordOf, wake }: ShareOptions) {
  const busy = new Map<string, number>();
  const turnedAway = new Map<string, Set<string>>();
  const known = new Map<string, string>();

  const isFree = (host: string): boolean => (busy.get(host) ?? 0) < most;

  const note = (podKey: string, pod: PodDocument | null): string | null => {
    known.delete(podKey);
    const [oldest] = known.keys();
    if (known.size > remembered && oldest !== undefined) known.delete(oldest);
    if (pod === null || pod.status === "deleted") return null;
    known.set(podKey, pod.host.name);
    return pod.host.name;
  };

  const enter = (host: string): (() => void) => {
    busy.set(host, (busy.get(host) ?? 0) + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      busy.set(host, (busy.get(host) ?? 1) - 1);
      const waiting = turnedAway.get(host);
      const [next] = waiting ?? [];
      if (next === undefined) return;
      waiting?.delete(next);
      wake(next);
    };
  };

  return {
    /** Whether a host has jobs to take still. */
    isFree,

    /** Counts a job whose pod is about to be placed on a host. */
    enter,

    /** Notes which host a pod is on, as its record says. */
    note,

    /** Lets a job of this pod into its host's share, or turns it away. A pod that is nowhere yet is counted when it is placed. */
    async ask(podKey: string, jobId: string): Promise<Entry> {
      const host = known.get(podKey) ?? note(podKey, await recordOf(podKey));
      if (host === null) return { leave: () => undefined };
      const waiting = turnedAway.get(host) ?? new Set();
      turnedAway.set(host, waiting);
      waiting.delete(jobId);
      if (isFree(host)) return { leave: enter(host) };
      waiting.add(jobId);
      return { forMs: Math.min(longestMs, shortestMs + eachMs * waiting.size), isFree: () => isFree(host) };
    },
  };
}
