const lookMs = 100;
const mostAtOnceMs = 1_000;

/**
 * Resolves when this process has been awake for so long. Time in which it was frozen does not count: whoever wakes up late is
 * given the rest, in place of finding that its time is over before it could do anything. `clear` ends the wait.
 */
export function awakeFor(ms: number): { over: Promise<void>; clear: () => void } {
  const over = Promise.withResolvers<void>();
  let left = ms;
  let lookedAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    left -= Math.min(now - lookedAt, mostAtOnceMs);
    lookedAt = now;
    if (left > 0) return;
    clearInterval(timer);
    over.resolve();
  }, lookMs);
  return { over: over.promise, clear: () => clearInterval(timer) };
}
