import { expect, it } from "vitest";
import { benchFiles, quickFilesPlan } from "./bench.ts";

it("bench files copies a file up and down by both ways, byte for byte, and compares", { timeout: 180_000 }, async () => {
  const { readings, table } = await benchFiles(quickFilesPlan, () => undefined, new AbortController().signal);
  for (const ways of Object.values(readings))
    for (const [reading, ...more] of Object.values(ways)) {
      expect(more).toEqual([]);
      expect(reading!.wallMs).toBeGreaterThan(0);
    }
  expect(table.match(/speed >= 0.7x/g)).toHaveLength(2);
});
