import { KubeError } from "./errors.ts";
import type { Bounds } from "./kubectl.ts";
import { annotation } from "./names.ts";
import type { Deployment, Ingress, Service } from "./objects.ts";

/**
 * Keeps a late writer of an object out: who writes has a number that grows with each, and leaves it there. One that finds a higher
 * number is void, and what was read is still so at the write, by its resourceVersion. `raises` false: others beside it may write the
 * same, so its number is compared and not left.
 */
export type Fence = { n: number; raises: boolean };

/** What a write of an object says of itself: that it is about what was read, and its number. Throws KubeError `superseded`. */
export function fencedMetadata(
  fence: Fence | undefined,
  there: Deployment | Service | Ingress | undefined,
): { resourceVersion?: string; annotations?: Record<string, string> } {
  const left = there?.metadata.annotations?.[annotation.fence];
  if (fence !== undefined && Number(left ?? 0) > fence.n)
    throw new KubeError(
      "superseded",
      `${there?.kind ?? "Object"} ${there?.metadata.name ?? ""} was written by a later attempt; this one is over`,
    );
  const next = fence?.raises ? String(fence.n) : left;
  return {
    ...(there?.metadata.resourceVersion === undefined ? {} : { resourceVersion: there.metadata.resourceVersion }),
    ...(next === undefined ? {} : { annotations: { [annotation.fence]: next } }),
  };
}

/** Looks and writes, again for as long as what was looked at changes before it is written. */
export async function untilUnmodified<T>(bounds: Bounds, write: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await write();
    } catch (error) {
      const again = error instanceof KubeError && error.code === "modified" && !bounds.signal?.aborted && performance.now() < bounds.until;
      if (!again) throw error;
    }
  }
}
