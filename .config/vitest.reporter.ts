import { appendFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

/**
 * Prints `N passed, N failed, N skipped` as the last line of the run, and before it the reason of each skip. With
 * PODQ_TEST_COUNTS the three numbers are also appended to that file, a line a run, for a caller that runs several suites.
 */
export class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0 };
    const skips: string[] = [];
    for (const module of modules) {
      if (module.state() === "failed" && module.children.size === 0) count.failed += 1;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") count.passed += 1;
        else if (result.state === "failed") count.failed += 1;
        else {
          count.skipped += 1;
          skips.push(`skipped: ${test.fullName}: ${(result.state === "skipped" && result.note) || "no reason given"}`);
        }
      }
    }
    const line = `${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`;
    const file = process.env.PODQ_TEST_COUNTS;
    if (file) appendFileSync(file, `${count.passed} ${count.failed} ${count.skipped}\n`);
    process.once("exit", () => process.stdout.write([...skips, line, ""].join("\n")));
  }
}
