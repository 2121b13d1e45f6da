import { setTimeout as delay } from "node:timers/promises";
import { checkSoFar } from "./check/check.ts";
import type { History, Violation } from "./check/history.ts";
import { idleHeads } from "./check/stuck.ts";

const everyMs = 1_000;
const stuckForMs = 10_000; // five leases, ten sweeps

/**
 * Looks again and again, so that a run which looks for violations ends with the first of the rules that are looked for: then it
 * aborts `enough`. Of a history that goes on some parts are newer than others: what is wrong in it is wrong if it is still so a
 * little later, and a job is lost if it has been nobody's for long.
 */
export async function watch(
  snapshot: () => Promise<History>,
  isAlive: (worker: string) => boolean,
  rules: readonly string[],
  enough: AbortController,
): Promise<Violation[]> {
  let before = new Set<string>();
  let idleSince = new Map<string, number>();
  while (!enough.signal.aborted) {
    await delay(everyMs, undefined, { signal: enough.signal }).catch(() => undefined);
    const history = await snapshot().catch(() => null); // MongoDB may be away
    if (history === null) continue;
    const now = performance.now();
    idleSince = new Map(idleHeads(history, isAlive).map((id) => [id, idleSince.get(id) ?? now]));
    const found = checkSoFar(history);
    const again = [...found.filter((one) => before.has(keyOf(one))), ...stuck(idleSince, now)].filter(({ rule }) => rules.includes(rule));
    if (again.length > 0) {
      enough.abort();
      return again;
    }
    before = new Set(found.map(keyOf));
  }
  return [];
}

function keyOf({ rule, jobs }: Violation): string {
  return `${rule} ${jobs.join(" ")}`;
}

function stuck(idleSince: ReadonlyMap<string, number>, now: number): Violation[] {
  return [...idleSince].flatMap(([id, since]) =>
    now - since < stuckForMs ? [] : [{ rule: "unfinished", jobs: [id], message: `it is its turn, and for ${stuckForMs} ms nobody had it` }],
  );
}
