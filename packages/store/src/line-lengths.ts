const trustedMs = 10_000;
const keptPods = 10_000;

/** How long the lines of pods are, as far as this process has seen: enough to say of most that they are far from full. */
export function createLineLengths(limit: number) {
  const seen = new Map<string, { length: number; at: number }>();

  return {
    saw(podKey: string, length: number): void {
      seen.delete(podKey); // so that the one not seen for longest stands first
      seen.set(podKey, { length, at: performance.now() });
      const [first] = seen.keys();
      if (seen.size > keptPods) seen.delete(first!);
    },

    /** Whether one more job is certain to fit, unless other processes fill three quarters of the line within ten seconds; counts it if so. */
    takeRoom(podKey: string): boolean {
      const known = seen.get(podKey);
      if (known === undefined || performance.now() - known.at > trustedMs || known.length >= limit / 4) return false;
      known.length++;
      return true;
    },
  };
}
