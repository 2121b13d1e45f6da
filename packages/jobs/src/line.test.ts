import { describe, expect, it } from "vitest";
import { runnable, slotsPerPod, successor, turnOf } from "./line.ts";

const line = (letters: string): { parallel: boolean; at: number }[] =>
  letters.split("").map((letter, at) => ({ parallel: letter === "p", at }));

describe("who may run in a line", () => {
  it.each([
    ["", []],
    ["x", [0]],
    ["xx", [0]],
    ["xp", [0]],
    ["p", [0]],
    ["px", [0]],
    ["ppx", [0, 1]],
    ["ppxpp", [0, 1]],
    ["p".repeat(20), Array.from({ length: slotsPerPod }, (_, n) => n)],
  ])("of %j: %j", (letters, expected) => {
    expect(runnable(line(letters)).map(({ at }) => at)).toEqual(expected);
  });
});

describe("who is next when the head ends", () => {
  it.each([
    ["", undefined],
    ["x", undefined],
    ["xx", 1],
    ["xxp", 1],
    ["xp", undefined], // perhaps more than one
    ["px", undefined], // perhaps others beside it go on
  ])("of %j: %j", (letters, expected) => {
    expect(successor(line(letters))?.at).toBe(expected);
  });
});

describe("a turn", () => {
  it("that is exclusive meets every other of the same pod, and none of another pod", () => {
    const all = turnOf("project/a/default", "all");
    expect(all).toHaveLength(slotsPerPod);
    for (let slot = 0; slot < slotsPerPod; slot++) expect(all).toContain(turnOf("project/a/default", slot)[0]);
    expect(turnOf("project/b/default", "all").some((one) => all.includes(one))).toBe(false);
  });
});
