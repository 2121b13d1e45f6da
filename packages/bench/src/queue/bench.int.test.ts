import { describe, expect, it } from "vitest";
import { benchQueue, quickQueuePlan } from "./bench.ts";

describe("bench queue", () => {
  it("measures the three lines, with every job started once and podq's in order", { timeout: 120_000 }, async () => {
    const { series, table } = await benchQueue(quickQueuePlan, () => undefined, new AbortController().signal);

    expect(series.map(({ line }) => line)).toEqual(["podq", "plain", "bare"]);
    for (const { waits, floods } of series) {
      expect(waits.accepted).toHaveLength(quickQueuePlan.waits);
      expect(waits.started.every((ms) => ms > 0)).toBe(true);
      expect(floods).toHaveLength(quickQueuePlan.rounds);
      expect(floods.every(({ perSecond }) => perSecond > 0)).toBe(true);
    }
    expect(series[0]!.floods.map(({ turned }) => turned)).toEqual([0]);
    expect(table.split("\n")).toHaveLength(5);
  });
});
