import { Redis } from "ioredis";
import { jobChannel, orderChannel, overMessage, type Order } from "./dispatcher.ts";

/** Hears nudges. Messages may be lost at any time: a listener only makes a reader quicker. */
export type Listener = {
  /** Calls back on each nudge of a job, until the returned function is called. Resolves when it listens. */
  onNudge: (jobId: string, heard: (over: boolean) => void) => Promise<() => void>;
  /** Calls back on each order to the workers. Resolves when it listens. */
  onOrder: (heard: (order: Order) => void) => Promise<void>;
  close: () => void;
};

/** Opens a connection of its own for hearing nudges. */
export function openListener(redisUrl: string, prefix: string): Listener {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null, retryStrategy: (times) => Math.min(50 * times, 1_000) });
  redis.on("error", () => undefined); // it reconnects and subscribes again by itself; readers poll meanwhile
  const hearers = new Map<string, Set<(message: string) => void>>();
  redis.on("message", (channel: string, message: string) => {
    for (const heard of hearers.get(channel) ?? []) heard(message);
  });

  const listen = async (channel: string, heard: (message: string) => void): Promise<() => void> => {
    const others = hearers.get(channel);
    const set = others ?? new Set();
    set.add(heard);
    hearers.set(channel, set);
    if (others === undefined) await redis.subscribe(channel).catch(() => undefined);
    return () => {
      set.delete(heard);
      if (set.size > 0 || hearers.get(channel) !== set) return;
      hearers.delete(channel);
      void redis.unsubscribe(channel).catch(() => undefined);
    };
  };

  return {
    onNudge: async (jobId, heard) => listen(jobChannel(prefix, jobId), (message) => heard(message === overMessage)),
    onOrder: async (heard) => {
      await listen(orderChannel(prefix), (message) => {
        const order = parseOrder(message);
        if (order !== null) heard(order);
      });
    },
    close: () => redis.disconnect(),
  };
}

function parseOrder(message: string): Order | null {
  try {
    const value: unknown = JSON.parse(message);
    const { jobId, order } = value as Record<string, unknown>;
    return typeof jobId === "string" && (order === "cancel" || order === "signal") ? { jobId, order } : null;
  } catch {
    return null;
  }
}
