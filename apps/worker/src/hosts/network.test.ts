import { describe, expect, it } from "vitest";
import { judgeNetwork } from "../doctor.ts";
import { isTrialDue } from "./network.ts";

const at = new Date("2026-01-01T00:00:00Z");
const later = (minutes: number): Date => new Date(at.getTime() + minutes * 60_000);

describe("a trial of a host's network", () => {
  it.each([
    [null, 0, true],
    [{ enforced: false, at }, 23 * 60, false],
    [{ enforced: true, at }, 24 * 60, true],
    [{ enforced: null, at }, 9, false],
    [{ enforced: null, at }, 10, true],
  ])("after %j is due %i minutes later: %s", (last, minutes, due) => {
    expect(isTrialDue(last, later(minutes))).toBe(due);
  });

  it.each([
    [{ enforced: true, detail: "d", at }, "busybox", undefined, /^NetworkPolicies are enforced: d \(2026-/],
    [{ enforced: false, detail: "d", at }, "busybox", true, /^NetworkPolicies are NOT enforced: d .*Calico/],
    [{ enforced: null, detail: "d", at }, "busybox", true, /not known .*: d/],
    [null, "busybox", true, /not known .*podq doctor --network/],
    [null, undefined, true, /not known .*PODQ_NETWORK_IMAGE/],
  ])("that told %j is told by doctor", (trial, image, warning, detail) => {
    const finding = judgeNetwork(trial, image);
    expect(finding).toMatchObject({ what: "network", fit: true, detail: expect.stringMatching(detail) as string });
    expect(finding.warning).toBe(warning);
  });
});
