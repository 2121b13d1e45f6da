import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { benchExec, quickExecPlan } from "./exec/bench.ts";

describe("bench exec", () => {
  it("measures every way in every shape, with right results, and cleans up", { timeout: 180_000 }, async () => {
    const said: string[] = [];
    const { cells, colds, outputs, table } = await benchExec(quickExecPlan, (line) => said.push(line), new AbortController().signal);

    expect(cells.map(({ way, shape }) => `${way.id} ${shape.atOnce}/${shape.pods}`)).toEqual(
      ["1/1", "2/1", "1/2", "2/2"].flatMap((shape) => ["a", "b", "c", "d1", "d2"].map((way) => `${way} ${shape}`)),
    );
    for (const { loads, shape } of cells) {
      expect(loads).toHaveLength(quickExecPlan.effort.rounds);
      for (const { latencies, wallMs, clientMs, machineMs } of loads) {
        expect(latencies.length).toBeGreaterThanOrEqual(shape.atOnce * quickExecPlan.effort.atLeast);
        expect(Math.max(...latencies)).toBeLessThanOrEqual(wallMs);
        expect(clientMs).toBeGreaterThan(0);
        expect(machineMs).toBeLessThanOrEqual(wallMs * availableParallelism() * 1.5);
      }
    }
    for (const times of Object.values(colds)) expect(times).toHaveLength(quickExecPlan.colds);
    for (const [report, ...more] of Object.values(outputs)) {
      expect(more).toEqual([]);
      expect(report).toMatchObject({ bytes: quickExecPlan.outputBytes });
    }
    const lines = table.split("\n");
    expect(lines).toHaveLength(2 + cells.length + 4);
    expect(new Set(lines.map((line) => line.split(" | ").length))).toEqual(new Set([13]));
    // (c) in each shape, (d) one at a time, cold, output: a machine that is busy with other things has CPU goals unjudged.
    expect(lines.filter((line) => /reached|not judged/.test(line))).toHaveLength(4 + 4 + 1 + 1);
    expect(said.at(-1)).toBe("the pods are gone");
  });
});
