import type { JobRecord } from "./check/history.ts";

/** A fault as recovery is judged: when it began, and the worker it hit. */
export type Struck = { fromMs: number; worker: string | null };

/**
 * How long until podq went on after a fault, in ms. One that hit a worker: until the last of the jobs that it had was with
 * another, or over. Any other: until a job that was claimed after the fault began had succeeded. Null: not seen.
 */
export function recoveryMs({ fromMs, worker }: Struck, jobs: readonly JobRecord[]): number | null {
  if (worker !== null) {
    const went = jobs.flatMap((job) => {
      const mine = job.attempts.find(
        (attempt) => attempt.worker.includes(worker) && attempt.startedAtMs <= fromMs && (attempt.endedAtMs ?? Infinity) > fromMs,
      );
      if (mine === undefined) return [];
      const next = job.attempts.find(({ n }) => n > mine.n);
      return [(next?.startedAtMs ?? job.endedAtMs ?? Infinity) - fromMs];
    });
    const last = Math.max(...went);
    return Number.isFinite(last) ? last : null;
  }
  const ends = jobs.flatMap(({ state, attempts, endedAtMs }) =>
    state === "succeeded" && endedAtMs !== null && (attempts.at(-1)?.startedAtMs ?? 0) > fromMs ? [endedAtMs - fromMs] : [],
  );
  return ends.length === 0 ? null : Math.min(...ends);
}

/** How long after a moment the next attempt began, of any job: what waits does not wait for what a dead worker had. Null: none did. */
export function nextClaimMs(fromMs: number, jobs: readonly JobRecord[]): number | null {
  const later = jobs.flatMap(({ attempts }) => attempts.flatMap(({ startedAtMs }) => (startedAtMs > fromMs ? [startedAtMs - fromMs] : [])));
  return later.length === 0 ? null : Math.min(...later);
}

const bounds = [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];

/** A histogram, a line a bar. */
export function histogram(times: readonly number[]): string[] {
  const labels = [...bounds.map((bound) => `< ${bound / 1_000} s`), `longer`];
  const counts = labels.map(() => 0);
  for (const time of times)
    counts[bounds.findIndex((bound) => time < bound) === -1 ? bounds.length : bounds.findIndex((bound) => time < bound)]! += 1;
  const most = Math.max(1, ...counts);
  return labels.map(
    (label, i) => `${label.padStart(8)} ${String(counts[i]).padStart(5)} ${"#".repeat(Math.ceil((40 * counts[i]!) / most))}`,
  );
}

/** A quantile of the times, by the nearest rank; null of none. */
export function quantile(times: readonly number[], share: number): number | null {
  return times.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(share * times.length) - 1)] ?? null;
}
