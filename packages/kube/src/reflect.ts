import { setTimeout as delay } from "node:timers/promises";
import { isExpired } from "./kubectl.ts";
import type { Kubectl } from "./kubectl.ts";
import type { KubeObject } from "./objects.ts";
import { watchOnce } from "./watch.ts";
import type { WatchEvent } from "./watch.ts";

/** What is told of one kind of object: all there are (again whenever what came after the last word is not known), then each change. */
export type Reflected<T> = {
  listed: (all: readonly T[]) => void;
  event: (event: WatchEvent<T>) => void;
  /** Whether changes arrive as they happen; `why`: the error that ended that. */
  live: (live: boolean, why?: unknown) => void;
};

/** One kind of object, kept up with until `stop`. `relist` reads all of them anew. */
export type Reflector = { relist: () => void; stop: () => Promise<void> };

// One page of a list: kubectl holds it in memory, and so do the two processes that it goes through.
const pageSize = 500;
const listWithinMs = 60_000;
// The API server ends a watch after about this, or before.
const watchMs = 290_000;
const firstPauseMs = 250;
const longestPauseMs = 5_000;
// A watch that ends sooner is a failed one.
const shortWatchMs = 5_000;

/**
 * Lists by `path` (which has a query already), then watches from where the list ended, and goes on from the last change that it saw
 * whenever the watch ends. Never rejects: without a way to the cluster it tries again and again.
 */
export function reflect<T extends KubeObject>(kubectl: Kubectl, path: string, told: Reflected<T>): Reflector {
  const over = new AbortController();
  let round = new AbortController();
  let version: string | undefined;
  let failures = 0;

  const once = async (signal: AbortSignal): Promise<void> => {
    if (version === undefined) {
      const { items, resourceVersion } = await listAll<T>(kubectl, path, signal);
      told.listed(items);
      version = resourceVersion;
    }
    const from = `${path}&allowWatchBookmarks=true&resourceVersion=${encodeURIComponent(version)}`;
    await watchOnce<T>(
      kubectl,
      from,
      { signal, until: performance.now() + watchMs },
      {
        opened: () => told.live(true),
        event(event) {
          version = event.object.metadata.resourceVersion ?? version;
          told.event(event);
        },
        bookmark: (at) => (version = at),
        expired: () => (version = undefined),
      },
    );
  };

  const run = async (): Promise<void> => {
    while (!over.signal.aborted) {
      round = new AbortController();
      const signal = AbortSignal.any([over.signal, round.signal]);
      const beganAt = performance.now();
      let why: unknown;
      try {
        await once(signal);
      } catch (error) {
        if (isExpired(error)) version = undefined;
        else if (!signal.aborted) why = error;
      }
      told.live(false, why);
      failures = why === undefined || performance.now() - beganAt > shortWatchMs ? 0 : failures + 1;
      const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** failures);
      await delay(signal.aborted ? 0 : pauseMs, undefined, { signal: over.signal }).catch(() => undefined);
    }
  };
  const running = run();

  return {
    relist() {
      version = undefined;
      round.abort();
    },
    async stop() {
      over.abort();
      await running;
    },
  };
}

type List<T> = { items: T[]; resourceVersion: string };
type Page<T> = { items: T[]; metadata: { resourceVersion: string; continue?: string } };

/** Reads a list page by page. All pages are of one moment, which is the server's matter. */
async function listAll<T>(kubectl: Kubectl, path: string, signal: AbortSignal): Promise<List<T>> {
  const bounds = { signal, until: performance.now() + listWithinMs };
  const items: T[] = [];
  for (let next = ""; ;) {
    const page = await kubectl.getRaw<Page<T>>(`${path}&limit=${pageSize}${next}`, bounds);
    if (page === undefined) return { items: [], resourceVersion: "" };
    items.push(...page.items);
    const { continue: more, resourceVersion } = page.metadata;
    if (more === undefined || more === "") return { items, resourceVersion };
    next = `&continue=${encodeURIComponent(more)}`;
  }
}
