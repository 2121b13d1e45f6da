import { expect, it } from "vitest";
import { together } from "./together.ts";

/** A call whose every sending is answered by hand. */
function scene(underWay: number, items = 100) {
  const sent: { items: readonly number[]; answer: (answers: (number | Error)[]) => void; fail: (error: Error) => void }[] = [];
  const send = async (asked: readonly number[]): Promise<(number | Error)[]> =>
    new Promise((answer, fail) => void sent.push({ items: asked, answer, fail }));
  return { sent, call: together(send, { underWay, items }) };
}

it("sends at once while few are under way, and what comes meanwhile as one", async () => {
  const { sent, call } = scene(2);
  const calls = [1, 2, 3, 4, 5].map(async (n) => call(n));
  expect(sent.map(({ items }) => items)).toEqual([[1], [2]]);
  sent[0]!.answer([10]);
  expect(await calls[0]).toBe(10);
  await expect.poll(() => sent.map(({ items }) => items)).toEqual([[1], [2], [3, 4, 5]]);
  sent[2]!.answer([30, 40, 50]);
  sent[1]!.answer([20]);
  expect(await Promise.all(calls)).toEqual([10, 20, 30, 40, 50]);
});

it("sends no more at once than it may", async () => {
  const { sent, call } = scene(1, 2);
  const calls = [1, 2, 3, 4].map(async (n) => call(n));
  for (const expected of [[1], [2, 3], [4]]) {
    await expect.poll(() => sent.at(-1)!.items).toEqual(expected);
    sent.at(-1)!.answer(expected);
  }
  expect(await Promise.all(calls)).toEqual([1, 2, 3, 4]);
});

it("tells a failure of one to that one, and a failure of the call to all of it, and goes on", async () => {
  const { sent, call } = scene(1);
  const first = call(0);
  const calls = Promise.allSettled([call(1), call(2)]);
  sent[0]!.fail(new Error("gone"));
  await expect(first).rejects.toThrow("gone");
  await expect.poll(() => sent).toHaveLength(2);
  sent[1]!.answer([new Error("there already"), 20]);
  expect(await calls).toMatchObject([{ reason: { message: "there already" } }, { value: 20 }]);
  const last = call(3);
  sent[2]!.answer([30]);
  expect(await last).toBe(30);
});
