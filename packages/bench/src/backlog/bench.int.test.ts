import { describe, expect, it } from "vitest";
import { benchBacklog, quickBacklogPlan } from "./bench.ts";

describe("bench backlog", () => {
  it("measures beside jobs that wait, of which none begins and none is brought to a worker for nothing", { timeout: 120_000 }, async () => {
    const { empty, full, table } = await benchBacklog(quickBacklogPlan, () => undefined, new AbortController().signal);

    for (const { accepted, started, workersMb, redisMb } of [empty, full]) {
      expect(accepted).toHaveLength(quickBacklogPlan.idle);
      expect(started.every((ms) => ms > 0)).toBe(true);
      expect(workersMb).toBeGreaterThan(20);
      expect(redisMb).toBeGreaterThan(0.5);
    }
    expect(full).toMatchObject({ waiting: quickBacklogPlan.jobs, parked: 0 });
    expect(table).toContain("to empty <= 1.5x");
  });
});
