import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { awakeFor } from "./grace.ts";

let nowMs = 0;
beforeEach(() => {
  nowMs = 0;
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  vi.spyOn(performance, "now").mockImplementation(() => nowMs);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function pass(ms: number): Promise<void> {
  for (let n = 0; n < ms; n += 100) {
    nowMs += 100;
    await vi.advanceTimersByTimeAsync(100);
  }
}

it("the time of a process that was frozen goes on where it stood", async () => {
  let over = false;
  void awakeFor(5_000).over.then(() => (over = true));
  await pass(2_000);
  nowMs += 310_000; // frozen
  await pass(1_900);
  expect(over).toBe(false);
  await pass(300);
  expect(over).toBe(true);
});

it("a wait that was cleared is never over", async () => {
  let over = false;
  const waiting = awakeFor(200);
  void waiting.over.then(() => (over = true));
  waiting.clear();
  await pass(1_000);
  expect([over, vi.getTimerCount()]).toEqual([false, 0]);
});
