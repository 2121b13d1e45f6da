import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseQuantity, sameQuantity } from "./quantity.ts";

describe("sameQuantity", () => {
  it.each([
    ["1", "1000m"],
    ["0.5", "500m"],
    [".5", "500m"],
    ["1.", "1"],
    ["1Gi", "1024Mi"],
    ["1.5Gi", "1536Mi"],
    ["1G", "1e9"],
    ["1E", "1e18"],
    ["1E3", "1000"],
    ["100u", "0.0001"],
    ["0", "0m"],
    ["-1", "-1000m"],
    ["9007199254740993", "9007199254740993000m"],
  ])("takes %s for %s", (a, b) => {
    expect(sameQuantity(a, b)).toBe(true);
  });

  it.each([
    ["1", "1001m"],
    ["1G", "1Gi"],
    ["1M", "1m"],
    ["200Mi", "200M"],
    ["9007199254740993", "9007199254740992"],
    [undefined, "0"],
    ["lots", "0"],
  ])("tells %s from %s", (a, b) => {
    expect(sameQuantity(a, b)).toBe(false);
  });

  it("agrees with a thousand of the next smaller unit", () => {
    fc.assert(
      fc.property(fc.nat(), (n) => {
        expect(sameQuantity(`${n}`, `${n}000m`)).toBe(true);
      }),
    );
  });
});

describe("parseQuantity", () => {
  it.each(["", ".", "lots", "1 Gi", "1gi", "1KiB", "0x10", "1e", "Infinity", "1,5", "١"])("does not take %j for a quantity", (text) => {
    expect(parseQuantity(text)).toBeUndefined();
  });

  it("rounds below a billionth away from zero, as Kubernetes does", () => {
    expect(parseQuantity("0.0000000001")).toBe(1n);
    expect(parseQuantity("-0.0000000001")).toBe(-1n);
  });
});
