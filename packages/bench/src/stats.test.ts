import { describe, expect, it } from "vitest";
import { busyMs } from "./cpu.ts";
import { verdict } from "./goal.ts";
import { podOf } from "./load.ts";
import { markdownTable } from "./markdown.ts";
import { figure, median, quantile, shuffled } from "./stats.ts";

describe("the arithmetic of a bench", () => {
  it.each([
    [[3, 1, 2], 0.5, 2],
    [[1, 2, 3, 4], 0.5, 2.5],
    [[10, 20], 0.95, 19.5],
    [[7], 0.95, 7],
  ])("takes quantiles between the nearest values: %j at %d", (values, q, expected) => {
    expect(quantile(values, q)).toBeCloseTo(expected, 9);
  });

  it("has no quantile of nothing", () => {
    expect(quantile([], 0.5)).toBeNaN();
  });

  it("does not sort what it is given", () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });

  it.each([
    [1234.5, "1235"],
    [12.345, "12.3"],
    [1.239, "1.24"],
    [0.0412, "0.041"],
    [Number.NaN, "-"],
  ])("writes %d as %s", (value, text) => {
    expect(figure(value)).toBe(text);
  });

  it("shuffles without loss, as the random numbers say", () => {
    expect(shuffled([1, 2, 3, 4], () => 0)).toEqual([2, 3, 4, 1]);
    expect(shuffled([1, 2, 3, 4]).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4]);
  });

  it("counts user, nice, system and interrupts as busy, idle, waiting and stolen time not", () => {
    expect(busyMs("cpu  1 2 4 1000 1000 8 16 1000 0 0\ncpu0 9 9 9 9 9 9 9 9 0 0\n")).toBe(310);
  });

  it("keeps callers on pods of their own while there are enough, and visits all of them", () => {
    for (const [atOnce, pods] of [
      [1, 20],
      [8, 20],
      [8, 8],
      [3, 7],
    ] as const) {
      const owners = new Map<number, Set<number>>();
      for (let caller = 0; caller < atOnce; caller++)
        for (let n = 0; n < 50; n++) {
          const pod = podOf(caller, n, atOnce, pods);
          owners.set(pod, (owners.get(pod) ?? new Set()).add(caller));
        }
      expect([...owners.keys()].toSorted((a, b) => a - b)).toEqual(Array.from({ length: pods }, (_, n) => n));
      for (const callers of owners.values()) expect(callers.size).toBe(1);
    }
    expect(podOf(7, 3, 8, 1)).toBe(0);
  });

  it("says beside a goal whether it was reached", () => {
    expect(verdict({ what: "p50", limit: 0.045, side: "at-most" }, 0.041)).toBe("p50 <= 0.045x: reached (0.041x)");
    expect(verdict({ what: "per s", limit: 15, side: "at-least" }, 14)).toBe("per s >= 15x: **not reached** (14.0x)");
    expect(verdict({ what: "p50", limit: 0.045, side: "at-most" }, Number.NaN)).toContain("not reached");
  });

  it("pads the columns of a table", () => {
    expect(markdownTable(["a", "long title"], [["value", "1"]])).toBe(
      "| a     | long title |\n| ----- | ---------- |\n| value | 1          |",
    );
  });
});
