import { expect, it } from "vitest";
import { benchReconcile, quickReconcilePlan } from "./bench.ts";

it("bench reconcile measures beside more and more pods, whose records follow the cluster", { timeout: 180_000 }, async (test) => {
  test.skip(process.env["PODQ_TEST_CLUSTER"] === "real", "it makes pods without processes, which a real cluster has not");
  const { steps, table } = await benchReconcile(quickReconcilePlan, () => undefined, new AbortController().signal);
  expect(steps.map(({ pods }) => pods)).toEqual(quickReconcilePlan.pods);
  for (const { pass, heapMb, changes } of steps) {
    expect(pass.cpuMs).toBeGreaterThan(0);
    expect(heapMb).toBeGreaterThan(1);
    expect(changes.map(({ changed }) => changed)).toEqual(quickReconcilePlan.changes);
  }
  expect(table.split("\n")).toHaveLength(2 + steps.length);
});
