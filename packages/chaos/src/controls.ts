import { type FaultKind } from "./plan.ts";

/** The protections that a negative control can switch off, one at a time. */
export const controls = ["turn", "head", "claim", "compare-and-set", "sweeper", "lease", "preconditions"] as const;

/** One of {@link controls}. */
export type Control = (typeof controls)[number];

/** How the faults aim at a protection: which kinds, at which points, and how long they last beyond a lease. */
export const aims: Record<Control, { kinds: readonly FaultKind[]; points?: readonly string[]; atLeastMs?: number }> = {
  turn: { kinds: ["late-insert"] },
  head: { kinds: ["redis-promote", "worker-kill"] },
  claim: { kinds: ["worker-kill", "worker-freeze"], points: ["execs.run:before", "output.append:after"] },
  "compare-and-set": { kinds: ["worker-freeze"], points: ["jobs.end:before"] },
  sweeper: { kinds: ["redis-flush", "producer-half"] },
  lease: { kinds: ["worker-kill"] },
  preconditions: { kinds: ["worker-freeze"], points: ["kube.delete:before"], atLeastMs: 12_000 },
};
