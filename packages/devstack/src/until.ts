import { setTimeout as wait } from "node:timers/promises";
import { DevstackError } from "./errors.ts";

/**
 * Asks `probe` until it answers something other than undefined, every `everyMs` (default 10), and returns that. After
 * `timeoutMs` (default 20 s) it throws with `what` and the last error of the probe.
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  options: { timeoutMs?: number; everyMs?: number } = {},
): Promise<T> {
  const { timeoutMs = 20_000, everyMs = 10 } = options;
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined) return answer;
    } catch (error) {
      if (error instanceof DevstackError) throw error;
      last = error;
    }
    if (performance.now() > deadline) throw new DevstackError("start-failed", `gave up waiting after ${timeoutMs} ms: ${what}`, last);
    await wait(everyMs);
  }
}
