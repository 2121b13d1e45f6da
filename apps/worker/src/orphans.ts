import { podKey, type Owner } from "@podq/jobs";
import type { PodIdentity, Pods } from "@podq/kube";
import type { PodDocument, Store } from "@podq/store";
import type { Logger } from "pino";
import { startDuty } from "./duty.ts";
import type { Observer } from "./metrics.ts";

/** Options of {@link startOrphanSweeper}: `everyMs` between two looks of the one worker that has the duty; a namespace has to be an orphan for `graceMs`. */
export type OrphanOptions = {
  store: { pods: Pick<Store["pods"], "get">; leases: Store["leases"] };
  pods: Pick<Pods, "all" | "delete">;
  /** Whose namespaces these are. */
  host: string;
  worker: string;
  everyMs: number;
  graceMs: number;
  log: Logger;
  observer?: Pick<Observer, "orphan"> | undefined;
};

const lookWithinMs = 30_000;
const goneWithinMs = 60_000;

/**
 * Deletes the namespaces of generations that the record says are gone: what a late worker made after its pod was deleted, or a
 * failed delete left behind a newer generation. Only of this installation, by uid; what has no record is left to be adopted.
 */
export function startOrphanSweeper({ store, pods, worker, host, everyMs, graceMs, log, observer }: OrphanOptions): { stop: () => void } {
  let since = new Map<string, number>();
  const duty = startDuty({ duty: `orphans/${host}`, leases: store.leases, worker, everyMs, log }, async (signal) => {
    const before = since;
    since = new Map();
    for (const found of await pods.all({ signal, timeoutMs: lookWithinMs })) {
      // Read after the cluster: a generation that is on record as over now was over then, or began before it.
      const record = await store.pods.get(podKey(ownerOf(found), found.name));
      if (!isOver(found, record)) continue;
      const orphanSince = before.get(found.namespaceUid) ?? performance.now();
      since.set(found.namespaceUid, orphanSince);
      if (performance.now() - orphanSince < graceMs) continue;
      log.warn(
        { host, namespace: found.namespace, generation: found.generation },
        "deleting a namespace whose generation is on record as gone",
      );
      await pods.delete(found, { signal, timeoutMs: goneWithinMs });
      observer?.orphan();
    }
  });
  // Not waited for: a kubectl that hangs is no reason to hand over jobs any later.
  return { stop: () => void duty.stop() };
}

/** Whether a pod's record says that this generation is gone for good. */
export function isOver(found: Pick<PodIdentity, "generation">, record: Pick<PodDocument, "generation" | "status"> | null): boolean {
  if (record === null) return false;
  return found.generation < record.generation || (found.generation === record.generation && record.status === "deleted");
}

function ownerOf({ kind, id }: PodIdentity): Owner {
  return kind === "project" ? { project: id } : { conversation: id };
}
