import type { Params } from "@podq/jobs";
import { KubeError, type Pods } from "@podq/kube";
import { toPodRecord, type PodPatch, type Store } from "@podq/store";
import type { Handler } from "../execute.ts";
import { notDue } from "../due.ts";
import { failurePatch, keyOf, type Place } from "./place.ts";

/** Why a delete that found nothing on the cluster, and no record, has succeeded. */
export const noSuchPod = "there is no such pod";

/** Deletes a pod with its namespace. Its result is the pod's record, or null if there never was one. */
export function deleteHandler(store: Pick<Store, "pods" | "jobs">, pods: Pods, place: Place): Handler {
  return async ({ job, pod, hold }) => {
    // One that has begun goes on: what is half gone is not spared by a job that came since.
    const used = pod?.status === "deleting" ? null : await notDue(store.jobs, job, pod);
    if (used !== null) return used;
    const control = { signal: AbortSignal.any([hold.cancel, hold.detach]), timeoutMs: (job.params as Params<"delete">).timeoutMs };
    if (pod === null) {
      const { current } = await pods.find(keyOf(job), control);
      if (current !== undefined) await pods.delete(current, control);
      return {
        kind: "end",
        state: "succeeded",
        result: null,
        error: null,
        why: current === undefined ? noSuchPod : "it had no record, and is gone",
      };
    }
    if (pod.status === "deleted")
      return { kind: "end", state: "succeeded", result: toPodRecord(pod), error: null, why: "it was deleted before" };
    const going = await store.pods.patch(pod, { status: "deleting", deleteBegun: true });
    if (going === null) return { kind: "fenced" };
    try {
      const { namespace, identity, namespaceUid, deploymentUid } = going;
      await pods.delete(
        { namespace, deployment: identity.deployment, namespaceUid: namespaceUid ?? undefined, deploymentUid: deploymentUid ?? undefined },
        control,
      );
    } catch (error) {
      if (error instanceof KubeError) await store.pods.patch(going, { ...failurePatch(error, place), status: "error" });
      throw error;
    }
    const gone = await store.pods.patch(going, gonePatch());
    return gone === null
      ? { kind: "fenced" }
      : { kind: "end", state: "succeeded", result: toPodRecord(gone), error: null, why: "it is gone" };
  };
}

/** What is recorded of a pod once nothing of it is left. */
export function gonePatch(): PodPatch {
  return {
    status: "deleted",
    podName: null,
    podUid: null,
    service: { access: null, nodePort: null, accessUrl: null, ports: [] },
    differs: [],
    cause: null,
    drifted: [],
    marks: null,
    error: null,
    stoppedAt: new Date(),
    observedAt: new Date(),
  };
}
