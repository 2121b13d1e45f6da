import type { Listener } from "@podq/queue";

const pollMs = 2_000;

/** Waits for a job's record to change: woken by nudges, and every two seconds anyway, since a nudge may be lost. */
export type Watch = {
  /** Resolves at the next nudge, or one that came since the last wait, or when it is time to look anyway. Rejects with the signal's reason. */
  next: (signal?: AbortSignal) => Promise<void>;
  stop: () => void;
};

/** Begins to watch a job, or only for its end. Read its record after this, not before. */
export async function watchJob(listener: Listener, jobId: string, until: "change" | "end" = "change"): Promise<Watch> {
  let nudged = false;
  let wake: (() => void) | undefined;
  const stop = await listener.onNudge(jobId, (over) => {
    if (until === "end" && !over) return;
    nudged = true;
    wake?.();
  });
  return {
    stop,
    async next(signal) {
      signal?.throwIfAborted();
      let timer: NodeJS.Timeout | undefined;
      let aborted: (() => void) | undefined;
      try {
        await new Promise<void>((resolve, reject) => {
          timer = setTimeout(resolve, pollMs);
          aborted = () => reject(signal?.reason instanceof Error ? signal.reason : new Error(String(signal?.reason)));
          signal?.addEventListener("abort", aborted, { once: true });
          wake = resolve;
          if (nudged) resolve();
        });
      } finally {
        nudged = false;
        wake = undefined;
        clearTimeout(timer);
        if (aborted !== undefined) signal?.removeEventListener("abort", aborted);
      }
    },
  };
}
