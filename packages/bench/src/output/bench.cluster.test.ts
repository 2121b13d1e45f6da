import { expect, it } from "vitest";
import { benchOutput, quickOutputPlan } from "./bench.ts";

it(
  "bench output follows a command's output slowly, gets every byte of it, and looks at the memory meanwhile",
  { timeout: 180_000 },
  async () => {
    const { worker, api, table } = await benchOutput(quickOutputPlan, () => undefined, new AbortController().signal);
    for (const { before, quarters } of [worker, api]) {
      expect(before).toBeGreaterThan(20);
      expect(quarters).toHaveLength(4);
    }
    expect(table).toContain("byte for byte");
  },
);
