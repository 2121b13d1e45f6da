import { describe, expect, it } from "vitest";
import { judge, next, type Happening, type Phase } from "./life.ts";

describe("the phases of a session", () => {
  const happenings: Happening[] = ["greeted", "refused", "garbage", "silent", "ended", "closed", "spent"];

  it.each<[Phase, Partial<Record<Happening, Phase>>]>([
    ["opening", { greeted: "ready", spent: "opening" }],
    ["ready", { spent: "draining" }],
    ["draining", { spent: "draining" }],
    ["over", Object.fromEntries(happenings.map((one) => [one, "over"]))],
  ])("from %s lead to the end, but for these", (phase, others) => {
    const expected = happenings.map((happening) => [happening, others[happening] ?? "over"]);
    expect(happenings.map((happening) => [happening, next(phase, happening)])).toEqual(expected);
  });
});

describe("silence", () => {
  const patience = { greetMs: 15_000, pingMs: 10_000, answerMs: 5000 };
  const pulse = { openedMs: 0, heardMs: 0, pingedMs: 0, askedMs: null };

  it.each<[string, Phase, Partial<{ openedMs: number; heardMs: number; pingedMs: number; askedMs: number | null }>, number, string]>([
    ["a session that is still opening has its time to greet", "opening", {}, 15_000, "wait"],
    ["trap: and no more, for a shell that is no shell of ours", "opening", { heardMs: 14_999 }, 15_001, "dead"],
    ["a quiet one is pinged", "ready", {}, 10_000, "ping"],
    ["but not more often", "ready", { pingedMs: 10_000 }, 12_000, "wait"],
    ["trap: two missing pongs are the end: a stopped kubectl gives no other sign", "ready", { pingedMs: 20_000 }, 20_001, "dead"],
    ["an answer that is due has its time", "ready", { askedMs: 1000, pingedMs: 1000 }, 6000, "wait"],
    ["and no more", "ready", { askedMs: 1000, pingedMs: 1000 }, 6001, "dead"],
    ["trap: a byte of anything else is life: slow is not dead", "ready", { askedMs: 1000, heardMs: 5000, pingedMs: 1000 }, 9999, "wait"],
    ["an old question does not count before the last byte", "draining", { askedMs: 0, heardMs: 8000, pingedMs: 8000 }, 13_000, "wait"],
    ["a session that is over is left alone", "over", {}, 1e9, "wait"],
  ])("%s", (_what, phase, known, nowMs, verdict) => {
    expect(judge(phase, { ...pulse, ...known }, nowMs, patience)).toBe(verdict);
  });
});
