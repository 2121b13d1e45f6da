/** When a job's event stream began to flow, or was cut, in ns. */
export type StreamChange = { what: "open" | "cut"; at: bigint };

/**
 * Whether a subscriber was connected all the time from the save of the result until he was told. One whose stream began to
 * flow again in between was not, nor one who was told before any cut came but only then saw it.
 */
export function wasConnected(changes: readonly StreamChange[], saved: bigint, told: bigint): boolean {
  const before = changes.filter(({ at }) => at <= saved).at(-1);
  return before?.what === "open" && !changes.some(({ at }) => at > saved && at <= told);
}
