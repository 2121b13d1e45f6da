import { isTerminal } from "@podq/jobs";
import { groupBy, type History } from "./history.ts";

/**
 * The jobs whose turn it is and whom nobody runs: at the head of their pod's line, and waiting, or with a worker that has died.
 * Each may be so for a moment; one that stays so is lost.
 */
export function idleHeads({ jobs }: Pick<History, "jobs">, isAlive: (worker: string) => boolean): string[] {
  const unfinished = jobs.filter(({ state }) => !isTerminal(state));
  return [...groupBy(unfinished, ({ podKey }) => podKey).values()].flatMap((line) => {
    const head = line.reduce((a, b) => (b.seq < a.seq ? b : a));
    const worker = head.state === "running" ? head.attempts.at(-1)?.worker : undefined;
    return worker !== undefined && isAlive(worker) ? [] : [head.id];
  });
}
