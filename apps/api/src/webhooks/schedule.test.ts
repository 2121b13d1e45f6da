import { describe, expect, it } from "vitest";
import { defaultSchedule, outcomeOfTry } from "./schedule.ts";

const nothing = { status: null, error: null, retryAfterMs: null };
const middle = 0.5;

describe("what follows from a try", () => {
  it.each([
    [{ status: 200 }, "delivered"],
    [{ status: 204 }, "delivered"],
    [{ status: 301 }, "pending"],
    [{ status: 400 }, "pending"],
    [{ status: 404 }, "pending"],
    [{ status: 410 }, "failed"],
    [{ status: 500 }, "pending"],
    [{ error: "unreachable: connect ECONNREFUSED" }, "pending"],
  ])("%j is %s", (answer, state) => {
    expect(outcomeOfTry({ ...nothing, n: 1, ...answer }, defaultSchedule, middle).state).toBe(state);
  });

  it("is a longer wait each time, some hours at most, over about a day in all, and then no more", () => {
    const tried = Array.from({ length: 12 }, (_, n) => outcomeOfTry({ ...nothing, n: n + 1, status: 500 }, defaultSchedule, middle));
    const waits = tried.map(({ retryInMs }) => (retryInMs === null ? null : retryInMs / 1_000));
    expect(waits).toEqual([5, 15, 45, 135, 405, 1_215, 3_645, 10_935, 21_600, 21_600, 21_600, null]);
    expect(tried.at(-1)).toMatchObject({ state: "failed", status: 500 });
  });

  it("is spread by a quarter either way", () => {
    const waits = [0, 1].map((random) => outcomeOfTry({ ...nothing, n: 1 }, defaultSchedule, random).retryInMs);
    expect(waits).toEqual([3_750, 6_250]);
  });

  it.each([
    [429, 60_000, 60_000],
    [503, 60_000, 60_000],
    [503, 1_000, 5_000],
    [503, 10 * 86_400_000, defaultSchedule.longestMs],
    [500, 60_000, 5_000],
  ])("with status %i and Retry-After of %i ms is a wait of %i ms", (status, retryAfterMs, wait) => {
    expect(outcomeOfTry({ ...nothing, n: 1, status, retryAfterMs }, defaultSchedule, middle).retryInMs).toBe(wait);
  });
});
