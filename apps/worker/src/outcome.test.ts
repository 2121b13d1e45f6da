import { codes, type Code } from "@podq/jobs";
import { KubeError } from "@podq/kube";
import { describe, expect, it } from "vitest";
import { backoffMs, failureOf, outcomeOf } from "./outcome.ts";

const soon = { n: 1, max: 3, deadlineAt: new Date(Date.now() + 60_000) };
const kindOf = (code: Code, attempt = soon): string => {
  const outcome = outcomeOf({ code, message: "why" }, attempt);
  return outcome.kind === "end" ? outcome.state : outcome.kind;
};

describe("what a failure leads to", () => {
  it.each<[string, Code[]]>([
    ["retry", ["host-unreachable", "cluster-unreachable", "unavailable", "internal", "evicted", "node-lost", "node-port-exhausted"]],
    ["lost", ["outcome-unknown", "pod-replaced"]],
    ["cancelled", ["cancelled"]],
  ])("is %s for what is on that list, and a failure for nothing of it", (kind, those) => {
    expect(codes.filter((code) => kindOf(code) === kind).toSorted()).toEqual(those.toSorted());
  });

  it("is no retry once the attempts are used up, or the deadline is over", () => {
    expect(kindOf("host-unreachable", { ...soon, n: 3 })).toBe("failed");
    expect(kindOf("host-unreachable", { ...soon, deadlineAt: new Date(0) })).toBe("failed");
  });
});

describe("the pause before a retry", () => {
  it("doubles from half a second to half a minute, less up to half of it", () => {
    expect([1, 2, 3, 7, 20].map((n) => backoffMs(n, 0))).toEqual([500, 1_000, 2_000, 30_000, 30_000]);
    expect(backoffMs(1, 1)).toBe(250);
  });
});

describe("an error", () => {
  it("of kube keeps its code, but for the one that callers never see", () => {
    expect(failureOf(new KubeError("image-not-found", "no such image"))).toEqual({ code: "image-not-found", message: "no such image" });
    expect(failureOf(new KubeError("namespace-terminating", "going")).code).toBe("namespace-stuck");
  });

  it("that nobody foresaw is internal", () => {
    expect(failureOf(new TypeError("oops"))).toEqual({ code: "internal", message: "oops" });
  });
});
