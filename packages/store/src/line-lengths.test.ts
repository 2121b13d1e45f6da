import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLineLengths } from "./line-lengths.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("of a pod that was not looked at nothing is certain", () => {
  expect(createLineLengths(1_000).takeRoom("project/a/default")).toBe(false);
});

test("a line is far from full up to a quarter of the limit, and what was taken counts", () => {
  const lengths = createLineLengths(12);
  lengths.saw("project/a/default", 1);
  expect([1, 2, 3].map(() => lengths.takeRoom("project/a/default"))).toEqual([true, true, false]);
  lengths.saw("project/a/default", 0);
  expect(lengths.takeRoom("project/a/default")).toBe(true);
});

test("what was seen is trusted for ten seconds", () => {
  const lengths = createLineLengths(1_000);
  lengths.saw("project/a/default", 0);
  vi.advanceTimersByTime(9_000);
  expect(lengths.takeRoom("project/a/default")).toBe(true);
  vi.advanceTimersByTime(2_000);
  expect(lengths.takeRoom("project/a/default")).toBe(false);
});

test("ten thousand pods are remembered, the latest", () => {
  const lengths = createLineLengths(1_000);
  for (let n = 0; n <= 10_000; n++) lengths.saw(`project/${n}/default`, 0);
  expect(lengths.takeRoom("project/0/default")).toBe(false);
  expect(lengths.takeRoom("project/1/default")).toBe(true);
});
