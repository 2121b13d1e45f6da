import { setTimeout as delay } from "node:timers/promises";
import type { Dice } from "../dice.ts";
import { oneOf } from "../dice.ts";
import { workOf, type Caller } from "./caller.ts";

/**
 * How much one producer does: over which projects' pods, in how many chains of one job after the other, each with a pause up to
 * `pauseMs` after it; and what: everything, or pods deleted and made anew without end.
 */
export type LoadPlan = { projects: readonly string[]; chains: number; pauseMs: number; mix: "everything" | "renewals" };

/** Puts load on the pods until the signal aborts; resolves when all that was accepted was told to its end. */
export async function load(caller: Caller, roll: Dice, name: string, plan: LoadPlan, stop: AbortSignal): Promise<void> {
  let serial = 0;
  const next = (): string => `${name}x${++serial}`;

  const chain = async (): Promise<void> => {
    while (!stop.aborted) {
      const project = oneOf(roll, plan.projects);
      await (plan.mix === "renewals" ? renewal(caller, roll, project, next) : step(caller, roll, project, next, stop));
      await delay(roll(plan.pauseMs), undefined, { signal: stop }).catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: plan.chains }, chain));
}

// One thing that a service may do: what share each has is in the numbers, out of 100.
async function step(caller: Caller, roll: Dice, project: string, next: () => string, stop: AbortSignal): Promise<void> {
  const exec = execOf(roll, next);
  const dice = roll(100);
  if (dice < 2) return deadline(caller, roll, project, next, stop);
  if (dice < 40) return ended([caller.ask(project, exec(roll(4) === 0 ? "long" : "short"), { follow: roll(3) === 0 })]);
  if (dice < 50) {
    const line = [];
    for (let n = 0; n < 2 + roll(3); n++) line.push(Promise.resolve(await caller.ask(project, exec("short"))));
    return ended(line);
  }
  if (dice < 51) return ended([caller.ask(project, { kind: roll(2) === 0 ? "expose" : "unexpose" })]);
  if (dice < 62) return ended(Array.from({ length: 2 + roll(3) }, async () => caller.ask(project, exec("short", { parallel: true }))));
  if (dice < 70) return ended([caller.ask(project, exec("short", { retryable: true }))]);
  if (dice < 76) return ended([caller.ask(project, exec("input"))]);
  if (dice < 82) return ended([caller.ask(project, exec("long"), { cancelAfterMs: roll(2_000), follow: true })]);
  if (dice < 84) return ended([caller.ask(project, exec("endless", { ends: "by-time-out" }))]);
  if (dice < 88) {
    const [asked, key] = [exec("short"), next()];
    return ended([caller.ask(project, asked, { key }), caller.ask(project, asked, { key })]);
  }
  if (dice < 90) {
    const ifChanged = oneOf(roll, ["ignore", "update", "reject"] as const);
    return ended([caller.ask(project, { kind: "create", otherImage: roll(2) === 0, fromTemplate: roll(3) === 0, ifChanged })]);
  }
  if (dice < 91) return ended([caller.ask(project, { kind: "restart" })]);
  if (dice < 93) {
    const stopped = await caller.ask(project, { kind: "stop" });
    return ended([Promise.resolve(stopped), caller.ask(project, roll(2) === 0 ? { kind: "start" } : exec("short", { starts: true }))]);
  }
  return renewal(caller, roll, project, next, dice >= 98);
}

// A pod is deleted and made anew, and used.
async function renewal(caller: Caller, roll: Dice, project: string, next: () => string, clears = false): Promise<void> {
  const gone = await caller.ask(project, { kind: "delete", clears });
  return ended([Promise.resolve(gone), caller.ask(project, { kind: "create" }), caller.ask(project, execOf(roll, next)("short"))]);
}

// A pod is given little time to live, which may be made longer before it is over; when it is over it is made anew.
async function deadline(caller: Caller, roll: Dice, project: string, next: () => string, stop: AbortSignal): Promise<void> {
  const wait = async (ms: number): Promise<void> => delay(ms, undefined, { signal: stop }).catch(() => undefined);
  const ttlMs = 500 + roll(3_000);
  if (!(await caller.extend(project, ttlMs))) {
    const born = { kind: "create", ttlMs: 5_000 + ttlMs } as const; // should it be a new one
    return ended([caller.ask(project, born), caller.ask(project, execOf(roll, next)("short"))]);
  }
  const line = ended([caller.ask(project, execOf(roll, next)("long"))]);
  await wait(ttlMs / 2);
  const moreMs = roll(2) === 0 ? 3_000 : 0;
  if (moreMs > 0) await caller.extend(project, ttlMs + moreMs);
  await wait(ttlMs + moreMs + 1_000);
  await line;
  return ended([caller.ask(project, { kind: "create" }), caller.ask(project, execOf(roll, next)("short"))]);
}

type ExecChange = { parallel?: boolean; retryable?: boolean; starts?: boolean; ends?: "by-time-out" };

function execOf(roll: Dice, next: () => string) {
  return (shape: Parameters<typeof workOf>[2], change: ExecChange = {}) =>
    ({ kind: "exec", work: workOf(roll, next(), shape), parallel: false, retryable: false, ends: "itself", ...change }) as const;
}

async function ended(all: readonly ReturnType<Caller["ask"]>[]): Promise<void> {
  await Promise.all(all.map(async (one) => (await one)?.done));
}
