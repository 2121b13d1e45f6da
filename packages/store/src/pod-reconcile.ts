import { randomUUID } from "node:crypto";
import { mayPodMove } from "@podq/jobs";
import type { Model, QueryFilter } from "mongoose";
import type { JobDocument } from "./job-schema.ts";
import type { PodDocument } from "./pod-schema.ts";
import { at, literals, visiblePod, type PodPatch } from "./pods.ts";

/** What the reconciler does with the records of pods. */
export type ReconcileStore = ReturnType<typeof createReconcileStore>;

const living = { status: { $ne: "deleted" as const } };

/** A job that has begun with a pod, whether it has the turn or waits to be tried again. */
const begun = [{ state: "running" as const }, { state: "queued" as const, target: { $ne: null } }];

export function createReconcileStore(pods: Model<PodDocument>, jobs: Model<JobDocument>) {
  const isBusy = async (podKey: string): Promise<boolean> => (await jobs.exists({ line: podKey, $or: begun })) !== null;

  return {
    /** Whether a job is at work on a pod, or has begun and is to be tried again. */
    isBusy,

    /** Pods of a host that are not deleted, in the order of their keys: what a look at all of them goes through. */
    ofHost: (host: string): AsyncIterable<PodDocument> =>
      pods
        .find({ "host.name": host, ...living }, { history: 0 })
        .sort({ _id: 1 })
        .lean<PodDocument>()
        .cursor({ batchSize: 500 }),

    /** Pods in these namespaces that are not deleted. */
    inNamespaces: async (namespaces: readonly string[]): Promise<PodDocument[]> =>
      pods.find({ namespace: { $in: [...namespaces] }, ...living }, { history: 0 }).lean<PodDocument[]>(),

    /**
     * Changes a record by what was seen, if it is still the one that was read and no job is at work on the pod. Several patches are
     * several moves, one after the other. A job that begins meanwhile keeps what it reads: the word that is left in the record before
     * the look for jobs is there for it to see, and it takes that away, without which nothing is written. Null: not now.
     */
    async write(pod: PodDocument, ...patches: readonly [PodPatch, ...PodPatch[]]): Promise<PodDocument | null> {
      const word = randomUUID();
      const marked = await pods.updateOne(at(pod), { $set: { reconciling: word } });
      if (marked.matchedCount === 0) return null;
      let now: PodDocument | null = { ...pod, reconciling: word };
      if (await isBusy(pod._id)) now = null;
      for (const patch of patches) now = now && (await move(now, patch));
      await pods.updateOne({ _id: pod._id, reconciling: word }, { $set: { reconciling: null } });
      return now;
    },
  };

  async function move(pod: PodDocument, patch: PodPatch): Promise<PodDocument | null> {
    if (patch.status !== undefined && !mayPodMove(pod.status, patch.status)) return null;
    const filter: QueryFilter<PodDocument> = { ...at(pod), reconciling: pod.reconciling };
    return pods
      .findOneAndUpdate(filter, [{ $set: literals(patch) }, visiblePod], { updatePipeline: true, returnDocument: "after" })
      .lean<PodDocument>();
  }
}
