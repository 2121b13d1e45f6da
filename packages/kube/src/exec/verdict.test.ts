import { describe, expect, it } from "vitest";
import type { Summary } from "./frames.ts";
import { ended, never, refused } from "./verdict.ts";

const size = { kept: 0, total: 0, tail: 0 };
const times = { startedMs: 1000, endedMs: 1250 };
const summary: Summary = { exitCode: 0, why: null, left: 0, leftUnverified: false, ...times, stdout: size, stderr: size, atLeast: false };
const conclude = (change: Partial<Summary>, weaker: string[] = [], left = 0): ReturnType<typeof ended> =>
  ended({ ...summary, ...change }, (ms) => 1_000_000 + ms, weaker, left);

describe("a run that ended", () => {
  it("has its code, its times on the wall clock, and nothing that is not known", () => {
    expect(conclude({ exitCode: 3 })).toEqual({
      kind: "ended",
      exitCode: 3,
      startedAt: new Date(1_001_000),
      endedAt: new Date(1_001_250),
      stdoutBytes: 0,
      stderrBytes: 0,
      truncated: false,
      leftRunning: 0,
    });
  });

  it.each<[number, string | null, object]>([
    [143, null, { exitCode: 143 }], // by somebody else's signal, or its own code
    [143, "timeout", { why: "timeout", signal: "SIGTERM" }],
    [137, "cancel", { why: "cancel", signal: "SIGKILL" }],
    [0, "cancel", { exitCode: 0, why: "cancel" }],
    [137, "fence", { why: "cancel", signal: "SIGKILL" }],
  ])("with %i after %s names a signal only if podq sent it", (exitCode, why, expected) => {
    const outcome = conclude({ exitCode, why });
    expect(outcome).toMatchObject(expected);
    expect("signal" in outcome).toBe("signal" in expected);
    expect("why" in outcome).toBe("why" in expected);
  });

  it("is lost if its input was broken off in the pod, whatever its code", () => {
    expect(conclude({ exitCode: 0, why: "stdin" })).toMatchObject({ kind: "lost", code: "outcome-unknown", settled: true });
  });

  it("is truncated if a byte was not kept, and says when the totals are a lower bound", () => {
    expect(conclude({ stdout: { kept: 5, total: 9, tail: 2 } })).toMatchObject({ truncated: true, stdoutBytes: 9 });
    expect(conclude({ atLeast: true })).toMatchObject({ truncated: true, atLeast: true });
  });

  it("counts what was left, by the larger of two counts, and names what is weaker", () => {
    expect(conclude({ left: 1 }, ["setsid"], 3)).toMatchObject({ leftRunning: 3, weaker: ["setsid"] });
    expect(conclude({})).not.toHaveProperty("unverified");
    expect(conclude({ leftUnverified: true })).toMatchObject({ leftRunning: 0, unverified: true });
  });

  it("is never made of a journal without an end", () => {
    expect(() => conclude({ exitCode: null })).toThrow(TypeError);
  });
});

describe("a run that did not start", () => {
  it.each([
    [refused("cwd"), "cwd-not-found"],
    [refused("noclaim"), "journal-unavailable"],
    [refused("stdin"), "internal"],
    [refused("something new"), "internal"],
    [never("timeout"), "timed-out"],
    [never("cancel"), "cancelled"],
    [never("fence"), "cancelled"],
    [never(null), "cancelled"],
  ])("%j", (outcome, code) => {
    expect(outcome).toMatchObject({ kind: "failed", code });
  });
});
