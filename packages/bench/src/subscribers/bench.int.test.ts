import { expect, it } from "vitest";
import { benchSubscribers, quickSubscribersPlan } from "./bench.ts";

it("bench subscribers tells each subscriber exactly once, and says when", { timeout: 120_000 }, async () => {
  const { connected, cut, cuts, memory, table } = await benchSubscribers(
    quickSubscribersPlan,
    () => undefined,
    new AbortController().signal,
  );
  expect(connected.length + cut.length).toBe(quickSubscribersPlan.subscribers);
  expect(connected.every((ms) => ms > 0)).toBe(true);
  expect(cuts).toBeGreaterThan(0);
  expect(memory.peak).toBeGreaterThan(20);
  expect(table).toContain("told exactly once");
});
