import { expect, it } from "vitest";
import type { JobRecord } from "./check/history.ts";
import { histogram, nextClaimMs, quantile, recoveryMs } from "./recovery.ts";

const job = (attempts: [worker: string, from: number, to: number | null][], endedAtMs: number | null): JobRecord =>
  ({
    state: "succeeded",
    endedAtMs,
    attempts: attempts.map(([worker, startedAtMs, endedAt], i) => ({ n: i + 1, worker, startedAtMs, endedAtMs: endedAt, why: null })),
  }) as JobRecord;

it("of a worker lasts until the last of its jobs is with another, or over", () => {
  const jobs = [
    job(
      [
        ["h-7-a", 10, 60],
        ["h-8-a", 60, 90],
      ],
      90,
    ),
    job([["h-7-a", 20, 40]], 40),
    job([["h-8-a", 0, 500]], 500),
  ];
  expect(recoveryMs({ fromMs: 30, worker: "-7-" }, jobs)).toBe(30);
});

it("of a service lasts until a job has succeeded that was claimed after the fault", () => {
  const jobs = [job([["w", 10, 200]], 200), job([["w", 110, 170]], 170), job([["w", 120, 300]], 300)];
  expect(recoveryMs({ fromMs: 100, worker: null }, jobs)).toBe(70);
});

it("is not known of a worker that had no job, nor where none has succeeded since", () => {
  expect(recoveryMs({ fromMs: 30, worker: "-7-" }, [])).toBeNull();
  expect(recoveryMs({ fromMs: 30, worker: null }, [job([["w", 10, 60]], 60)])).toBeNull();
});

it("of what waits is the time until any job is begun", () => {
  expect(nextClaimMs(100, [job([["w", 10, 200]], 200), job([["w", 150, 170]], 170), job([["w", 120, null]], null)])).toBe(20);
  expect(nextClaimMs(100, [job([["w", 10, 200]], 200)])).toBeNull();
});

it("is counted in a histogram, and told by quantiles", () => {
  const times = [100, 300, 300, 40_000];
  expect(histogram(times).map((line) => Number(line.slice(8, 15)))).toEqual([1, 2, 0, 0, 0, 0, 0, 0, 1]);
  expect([quantile(times, 0.5), quantile(times, 0.95), quantile([], 0.5)]).toEqual([300, 40_000, null]);
});
