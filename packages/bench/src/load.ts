import { startMeter, type Reading } from "./cpu.ts";

/** What a load gave: the time of each command, and the meter over all of it. */
export type Load = Reading & { latencies: number[] };

/** So many callers, each one command after another, for at least so long and so many commands each. */
export type LoadOptions = { atOnce: number; forMs: number; atLeast: number };

/** Puts a load on `one`. Rejects with the first failure, when all callers have stopped. */
export async function drive(options: LoadOptions, one: (caller: number, n: number) => Promise<void>): Promise<Load> {
  const { atOnce, forMs, atLeast } = options;
  const latencies: number[] = [];
  const read = startMeter();
  const until = performance.now() + forMs;
  const failures: unknown[] = [];
  const caller = async (_: unknown, who: number): Promise<void> => {
    for (let n = 0; failures.length === 0 && (n < atLeast || performance.now() < until); n++) {
      const from = performance.now();
      await one(who, n);
      latencies.push(performance.now() - from);
    }
  };
  const callers = Array.from({ length: atOnce }, caller);
  for (const work of callers) work.catch((error: unknown) => failures.push(error));
  await Promise.allSettled(callers);
  const reading = read();
  if (failures.length > 0) throw failures[0];
  return { ...reading, latencies };
}

/** Which of the pods a caller's n-th command goes to: callers share a pod only if there are fewer pods than callers. */
export function podOf(caller: number, n: number, atOnce: number, pods: number): number {
  if (pods <= atOnce) return caller % pods;
  const own = Math.ceil((pods - caller) / atOnce);
  return caller + (n % own) * atOnce;
}
