// One host's record of dial failures, as a value: no clock, no chance of its own.
import type { Cause } from "./outcome.ts";

const FIRST_MS = 200;
const LONGEST_MS = 30_000;
const REFUSED_MS = 30_000;

/** What is known of a host: consecutive failures, when it may be tried again, and why not before. */
export type Breaker = { failures: number; retryAtMs: number; cause?: Cause };

/** The words for the three states: `half-open` lets one trial through. */
export type BreakerState = "closed" | "open" | "half-open";

/** A host nothing is known against. */
export const closedBreaker: Breaker = { failures: 0, retryAtMs: 0 };

/** After a failed dial: 200 ms, doubled each time up to 30 s, of which `chance` (0 to 1) takes up to a half. */
export function afterFailure(breaker: Breaker, cause: Cause, nowMs: number, chance: number): Breaker {
  const failures = breaker.failures + 1;
  // A wrong key does not get right by asking again, and asking often looks like an attack.
  const full = isRefusal(cause) ? REFUSED_MS : Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
  return { failures, retryAtMs: nowMs + full * (1 - chance / 2), cause };
}

/** A host that answered, and whose answer was no: waiting for it is pointless. */
export function isRefusal(cause: Cause | undefined): boolean {
  return cause?.kind === "host-key" || cause?.kind === "auth";
}

/** Where the breaker stands at this time. */
export function breakerState(breaker: Breaker, nowMs: number): BreakerState {
  if (breaker.failures === 0) return "closed";
  return nowMs < breaker.retryAtMs ? "open" : "half-open";
}

/** Dials that may be in flight at this time: two, one to try again after a failure, none while open. */
export function dialsAllowed(breaker: Breaker, nowMs: number): number {
  return { closed: 2, "half-open": 1, open: 0 }[breakerState(breaker, nowMs)];
}
