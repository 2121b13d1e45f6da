import { describe, expect, it } from "vitest";
import { chaos, type Outcome, type Scale } from "./chaos.ts";
import { controls, type Control } from "./controls.ts";

const scale: Scale = { workers: 3, producers: 2, pods: 4, chains: 3, pauseMs: 200, lanes: 2 };
const quiet: Scale = { ...scale, producers: 1, pods: 8, chains: 1 }; // or the end of another job wakes what the sweeper should have

const run = async (faults: number, without?: Control): Promise<Outcome> => {
  const command = { faults, seed: 11, cluster: "embedded", defaults: false, without, only: undefined } as const;
  return chaos(command, without === "sweeper" ? quiet : scale, () => undefined, new AbortController().signal);
};

// How many faults are surely enough, and what is found.
const expected: Record<Control, { faults: number; rules: readonly string[] }> = {
  turn: { faults: 10, rules: ["cause", "overlap"] }, // the pod ends what runs when another begins: so one of the two ends without a cause
  head: { faults: 30, rules: ["order"] },
  claim: { faults: 30, rules: ["ran-twice"] },
  "compare-and-set": { faults: 30, rules: ["move"] },
  sweeper: { faults: 10, rules: ["unfinished"] },
  lease: { faults: 4, rules: ["unfinished"] },
  preconditions: { faults: 20, rules: ["cause"] },
};

describe("the harness", () => {
  it("finds nothing while all protections are on", { timeout: 240_000 }, async () => {
    const { done, violations } = await run(22);
    expect(violations).toEqual([]);
    expect(done).toHaveLength(22);
  });

  it.each(controls)("finds that %s is switched off", { timeout: 240_000 }, async (control) => {
    const { violations } = await run(expected[control].faults, control);
    const rules = violations.map(({ rule }) => rule);
    expect(rules.filter((rule) => expected[control].rules.includes(rule))).not.toEqual([]);
  });
});
