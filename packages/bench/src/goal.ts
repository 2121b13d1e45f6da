import { figure } from "./stats.ts";

/** A goal for one ratio: `at-most` it or `at-least` it. */
export type Goal = { what: string; limit: number; side: "at-most" | "at-least" };

/** The goal beside what was measured, and whether it was reached. */
export function verdict({ what, limit, side }: Goal, measured: number): string {
  const reached = side === "at-most" ? measured <= limit : measured >= limit;
  return `${what} ${side === "at-most" ? "<=" : ">="} ${limit}x: ${reached ? "reached" : "**not reached**"} (${figure(measured)}x)`;
}
