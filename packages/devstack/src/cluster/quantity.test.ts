import { describe, expect, it } from "vitest";
import { outOfMemory } from "./memory.ts";
import { quantityValue } from "./quantity.ts";

describe("a quantity", () => {
  it.each([
    ["200m", 0.2],
    ["5", 5],
    ["64Mi", 67_108_864],
    ["1.5Gi", 1_610_612_736],
    ["1e3", 1000],
    ["2k", 2000],
    [undefined, 0],
  ])("%j is %j", (text, value) => {
    expect(quantityValue(text)).toBeCloseTo(value);
  });
});

describe("a pod that takes more memory than its limit", () => {
  it("loses its biggest process", () => {
    const usage = [
      { pid: 1, bytes: 10 },
      { pid: 7, bytes: 60 },
      { pid: 9, bytes: 40 },
    ];
    expect(outOfMemory(usage, 100)).toEqual({ pid: 7, bytes: 60 });
    expect(outOfMemory(usage, 110)).toBeUndefined();
  });
});
