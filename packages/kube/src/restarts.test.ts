import { describe, expect, it } from "vitest";
import type { ContainerStatus, KubeEvent, Pod } from "./objects.ts";
import { explained, restartsOf } from "./restarts.ts";

const podOf = (status: Partial<ContainerStatus>): Pod => ({
  metadata: { name: "p", uid: "u" },
  status: { containerStatuses: [{ name: "workspace", ...status }] },
});
const time = (second: number): string => `2026-01-01T00:00:${String(second).padStart(2, "0")}Z`;
const ended = { exitCode: 137, reason: "Error", startedAt: time(10), finishedAt: time(20) };
const event = (reason: string, message: string, second: number): KubeEvent => ({ reason, message, lastTimestamp: time(second) });
const killing = (second: number, kind = "liveness"): KubeEvent =>
  event("Killing", `Container workspace failed ${kind} probe, will be restarted`, second);
const unhealthy = (message: string, second: number): KubeEvent => event("Unhealthy", message, second);

const restarts = restartsOf(podOf({ restartCount: 2, lastState: { terminated: ended } }))!;

describe("restartsOf", () => {
  it("knows nothing of a pod whose container nobody has reported", () => {
    expect(restartsOf(undefined)).toBeUndefined();
    expect(restartsOf({ metadata: { name: "p", uid: "u" }, status: {} })).toBeUndefined();
  });

  it("tells how the last life ended", () => {
    expect(restartsOf(podOf({ restartCount: 0 }))).toEqual({ count: 0, last: null });
    expect(restarts).toEqual({
      count: 2,
      last: { reason: "Error", exitCode: 137, message: "", startedAt: new Date(time(10)), at: new Date(time(20)) },
    });
  });
});

describe("between two lives", () => {
  it("the last one is the one that has just ended", () => {
    const state = { terminated: { ...ended, exitCode: 1 } };
    expect(restartsOf(podOf({ restartCount: 2, state, lastState: { terminated: ended } }))!.last).toMatchObject({ exitCode: 1 });
  });
});

describe("a restart is explained", () => {
  it.each<[string, KubeEvent[], { reason: string; message?: string }]>([
    ["by nothing", [], { reason: "Error" }],
    [
      "by the probe that had it ended, in its last words",
      [unhealthy("Liveness probe failed: a", 15), killing(18), unhealthy("Liveness probe failed: b\n", 18)],
      { reason: "Unhealthy", message: "Liveness probe failed: b" },
    ],
    [
      "by the startup probe",
      [unhealthy("Startup probe failed: a", 15), unhealthy("Readiness probe failed: r", 16), killing(15, "startup")],
      { reason: "Unhealthy", message: "Startup probe failed: a" },
    ],
    [
      "by the kill alone, where the probe's words are gone",
      [killing(20)],
      { reason: "Unhealthy", message: "Container workspace failed liveness probe, will be restarted" },
    ],
    ["not by a probe that failed and ended nothing", [unhealthy("Liveness probe failed: a", 15)], { reason: "Error" }],
    ["not by a kill of an earlier life", [unhealthy("Liveness probe failed: a", 8), killing(8)], { reason: "Error" }],
    ["not by a kill of the present life", [unhealthy("Liveness probe failed: a", 25), killing(25)], { reason: "Error" }],
  ])("%s", (_what, events, last) => {
    expect(explained(restarts, events).last).toMatchObject(last);
  });
});
