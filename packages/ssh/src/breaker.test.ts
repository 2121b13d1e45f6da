import { describe, expect, it } from "vitest";
import { afterFailure, type Breaker, breakerState, closedBreaker, dialsAllowed } from "./breaker.ts";
import type { Cause } from "./outcome.ts";

const down: Cause = { kind: "unavailable", message: "down" };

function failTimes(times: number, cause: Cause = down, chance = 0): Breaker {
  let breaker = closedBreaker;
  for (let n = 0; n < times; n += 1) breaker = afterFailure(breaker, cause, 0, chance);
  return breaker;
}

describe("the breaker", () => {
  it.each([
    [1, 200],
    [2, 400],
    [5, 3200],
    [9, 30_000],
    [50, 30_000],
  ])("waits after %i failures for %i ms", (failures, ms) => {
    expect(failTimes(failures).retryAtMs).toBe(ms);
  });

  it("shortens the wait by chance to no less than a half, so that many clients do not come at once", () => {
    expect(failTimes(3, down, 1).retryAtMs).toBe(400);
    expect(failTimes(3, down, 0.5).retryAtMs).toBe(600);
  });

  it.each(["host-key", "auth"] as const)("stays open for 30 s after the first %s failure, as asking again looks like an attack", (kind) => {
    expect(failTimes(1, { kind, message: "no" }).retryAtMs).toBe(30_000);
  });

  it("lets two dials through while closed, none while open, one to try again", () => {
    const open = failTimes(1);
    expect([breakerState(closedBreaker, 0), dialsAllowed(closedBreaker, 0)]).toEqual(["closed", 2]);
    expect([breakerState(open, 199), dialsAllowed(open, 199)]).toEqual(["open", 0]);
    expect([breakerState(open, 200), dialsAllowed(open, 200)]).toEqual(["half-open", 1]);
  });
});
