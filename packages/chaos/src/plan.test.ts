import { describe, expect, it } from "vitest";
import { commonKinds, makePlan, partKinds, points } from "./plan.ts";

const all = [...commonKinds, ...partKinds];

describe("a plan of faults", () => {
  it("is the same for the same seed, and another for another", () => {
    expect(makePlan(7, 200, all)).toEqual(makePlan(7, 200, all));
    expect(makePlan(7, 200, all)).not.toEqual(makePlan(8, 200, all));
  });

  it("of a longer run begins like that of a shorter one", () => {
    expect(makePlan(7, 500, all).slice(0, 150)).toEqual(makePlan(7, 150, all));
  });

  it.each([
    [40, 0.025], // two decks do not go into 40
    [150, 0.03],
    [1000, 0.03],
  ])("of %i faults gives each kind its share", (count, share) => {
    for (let seed = 1; seed <= 20; seed++) {
      const plan = makePlan(seed, count, all);
      expect(plan).toHaveLength(count);
      for (const kind of all) expect(plan.filter((fault) => fault.kind === kind).length / count).toBeGreaterThanOrEqual(share);
    }
  });

  it("comes to every point", () => {
    const reached = new Set(makePlan(1, 300, all).flatMap(({ kind, point }) => (kind === "worker-failpoint" ? [point] : [])));
    expect([...points].filter((point) => !reached.has(point))).toEqual([]);
  });
});
