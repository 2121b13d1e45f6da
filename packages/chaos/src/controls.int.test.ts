import { describe, expect, it } from "vitest";
import { chaos, type Scale } from "./chaos.ts";
import { controls, type Control } from "./controls.ts";

const scale: Scale = { workers: 3, producers: 2, pods: 4, chains: 3, pauseMs: 200, lanes: 2 };
const said: string[] = [];
const run = async (faults: number, without?: Control) =>
  chaos(
    { faults, seed: 11, cluster: "embedded", defaults: false, without, only: undefined },
    scale,
    (line) => said.push(line),
    new AbortController().signal,
  );

// What a run finds when this is switched off.
const found: Record<Control, readonly string[]> = {
  turn: ["overlap"],
  head: ["order"],
  claim: ["ran-twice"],
  "compare-and-set": ["move"],
  sweeper: ["unfinished"],
  lease: ["unfinished"],
  preconditions: ["cause"],
};

describe("the harness", () => {
  it("finds nothing while all protections are on", { timeout: 240_000 }, async () => {
    const { done, violations } = await run(22);
    expect(violations).toEqual([]);
    expect(done.length).toBeGreaterThan(15);
  });

  it.each(controls)("finds that %s is switched off", { timeout: 240_000 }, async (control) => {
    const { violations } = await run(60, control);
    expect(violations.map(({ rule }) => rule)).toEqual(expect.arrayContaining([...found[control]]));
  });
});
