import type { FaultKind } from "./plan.ts";
import type { Scale } from "./scale.ts";

/** The protections that a negative control can switch off, one at a time. */
export const controls = ["turn", "head", "claim", "compare-and-set", "sweeper", "lease", "preconditions"] as const;

/** One of {@link controls}. */
export type Control = (typeof controls)[number];

/** How a run aims at a protection: with which faults, at which points, how long beyond a lease, under which load; and what shows. */
export type Aim = {
  kinds: readonly FaultKind[];
  points?: readonly string[];
  atLeastMs?: number;
  scale: Scale;
  /** How many of the pods have a load; the others only have what faults bring. */
  loaded?: number;
  /** The rules that tell of this protection. Another one broken is no proof. */
  shows: readonly string[];
};

const small: Scale = { workers: 3, producers: 2, pods: 4, chains: 3, pauseMs: 100, mix: "everything", lanes: 1 };
const inLongLines: Scale = { ...small, pods: 2, chains: 5 };

/** The aims. */
export const aims: Record<Control, Aim> = {
  // The pod ends what runs when another begins: so one of the two may end without a cause before they overlap.
  turn: { kinds: ["late-insert"], scale: small, shows: ["cause", "overlap"] },
  head: { kinds: ["redis-promote"], scale: inLongLines, shows: ["order"] },
  claim: { kinds: ["worker-kill", "worker-freeze"], points: ["output.append:after"], scale: small, shows: ["ran-twice"] },
  "compare-and-set": { kinds: ["worker-freeze"], points: ["jobs.end:before"], scale: small, shows: ["move"] },
  // On a pod with a load the end of another job wakes what the sweeper should have.
  sweeper: { kinds: ["producer-half", "redis-flush"], scale: { ...small, chains: 1 }, loaded: 1, shows: ["unfinished"] },
  lease: { kinds: ["worker-kill"], scale: small, shows: ["unfinished"] },
  // Long enough for others to take the delete over and to make the pod anew, before the first deletes it by its name.
  preconditions: {
    kinds: ["worker-freeze"],
    points: ["kube.delete:before"],
    atLeastMs: 7_000,
    scale: { ...small, mix: "renewals" },
    shows: ["cause"],
  },
};
