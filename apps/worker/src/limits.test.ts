import { describe, expect, it } from "vitest";
import { larger, overLimit, reservedOf, type OwnerLimits } from "./limits.ts";

const none: OwnerLimits = { pods: undefined, cpu: undefined, memory: undefined };
const small = { cpu: "500m", memory: "512Mi" };
const resources = { ...small, cpuRequests: "1m", memoryRequests: "1Mi" };

describe("what an owner's pods may come to", () => {
  it.each<[Partial<OwnerLimits>, number, { cpu: string; memory: string }, string | null]>([
    [{}, 100, small, null],
    [{ pods: 2 }, 1, small, null],
    [{ pods: 2 }, 2, small, "project/p1 may have 2 pods and has 2 beside this one; delete one first"],
    [{ pods: 1 }, 1, small, "project/p1 may have 1 pod and has 1 beside this one; delete one first"],
    [{ cpu: "1.5" }, 2, small, null],
    [
      { cpu: "1500m" },
      2,
      { cpu: "0.501", memory: "1" },
      "the cpu limits of project/p1's pods may come to 1500m; 2 pods beside this one came to 1000m, and it asks for 0.501",
    ],
    [{ memory: "1Gi" }, 1, small, null],
    [
      { memory: "1Gi" },
      1,
      { cpu: "1m", memory: "513Mi" },
      "the memory limits of project/p1's pods may come to 1Gi; 1 pod beside this one came to 512Mi, and it asks for 513Mi",
    ],
    [
      { memory: "1G" },
      4,
      small,
      "the memory limits of project/p1's pods may come to 1G; 4 pods beside this one came to 2Gi, and it asks for 512Mi",
    ],
    [
      { cpu: "1" },
      0,
      { cpu: "2", memory: "1" },
      "the cpu limits of project/p1's pods may come to 1; 0 pods beside this one came to 0m, and it asks for 2",
    ],
  ])("%j with %i others, one more of %j: %s", (limits, others, asked, told) => {
    const all = Array.from({ length: others }, () => small);
    expect(overLimit("project/p1", { ...none, ...limits }, all, asked)).toBe(told);
  });

  it.each([
    ["deleted", small, null],
    ["deleting", small, small],
    ["stopped", small, small],
    ["error", null, null],
    ["running", undefined, resources], // of a record from before there were limits
  ] as const)("a pod that is %s and has %j reserved takes up %j", (status, reserved, taken) => {
    expect(reservedOf({ status, resources, ...(reserved === undefined ? {} : { reserved }) })).toEqual(taken);
  });

  it("a pod that may be one of two takes up the larger of each figure", () => {
    expect(larger({ cpu: "1", memory: "1Gi" }, { cpu: "999m", memory: "1025Mi" })).toEqual({ cpu: "1", memory: "1025Mi" });
  });
});
