import { describe, expect, it } from "vitest";
import { isTerminal, jobStates, mayJobMove, mayPodMove, podStatuses } from "./states.ts";

describe("the states of a job", () => {
  it("end in four ways, and nothing leaves an end", () => {
    const ends = jobStates.filter(isTerminal);
    expect(ends).toEqual(["succeeded", "failed", "cancelled", "lost"]);
    for (const end of ends) for (const to of jobStates) expect(mayJobMove(end, to)).toBe(false);
  });

  it("let a queued job end without running only by a cancel or a failure", () => {
    expect(jobStates.filter((to) => mayJobMove("queued", to))).toEqual(["running", "failed", "cancelled"]);
  });

  it("let a running job be taken over, go back to the line, or end", () => {
    expect(jobStates.filter((to) => mayJobMove("running", to))).toEqual([...jobStates]);
  });
});

describe("the statuses of a pod", () => {
  it("lead from deleted only to the next generation", () => {
    expect(podStatuses.filter((to) => mayPodMove("deleted", to))).toEqual(["created"]);
  });

  it("let every living pod be deleted", () => {
    expect(podStatuses.filter((status) => !mayPodMove(status, "deleting"))).toEqual(["deleted"]);
  });

  it("never call a pod running that is on its way out", () => {
    expect(mayPodMove("deleting", "running")).toBe(false);
  });
});
