import type { Params } from "@podq/jobs";
import type { PodObservation, Pods, WriteControl } from "@podq/kube";
import { toPodRecord, type JobDocument, type PodDocument, type Store } from "@podq/store";
import type { Handler } from "../execute.ts";
import { fenceOf, publishedPorts, type Place } from "./place.ts";
import { notThere } from "./power.ts";

/** Publishes one more port of a pod, whose processes go on. Its result is the pod's record. */
export function exposeHandler(store: Pick<Store, "pods">, pods: Pods, place: Place): Handler {
  return changePorts(store, place, "it is exposed", async ({ identity }, { params }, control) => {
    const { port, name, protocol = "TCP" } = params as Params<"expose">;
    return pods.expose(identity, { port, name, protocol }, control);
  });
}

/** Publishes a port of a pod no more. Its result is the pod's record. */
export function unexposeHandler(store: Pick<Store, "pods">, pods: Pods, place: Place): Handler {
  return changePorts(store, place, "it is exposed no more", async ({ identity }, { params }, control) =>
    pods.unexpose(identity, (params as Params<"unexpose">).name, control),
  );
}

type Work = (pod: PodDocument, job: JobDocument, control: WriteControl) => Promise<PodObservation>;

// What fails here is told by the job alone: the pod is what it was.
function changePorts(store: Pick<Store, "pods">, place: Place, why: string, work: Work): Handler {
  return async ({ job, pod, hold }) => {
    if (pod === null || pod.status === "deleted" || pod.deleteBegun) return notThere(job.podKey, pod);
    const { timeoutMs } = job.params as Params<"expose">;
    const control = { signal: AbortSignal.any([hold.cancel, hold.detach]), timeoutMs, fence: { n: fenceOf(job), raises: true } };
    const observed = await work(pod, job, control);
    if (observed.status === "absent") return notThere(job.podKey, "absent");
    const changed = await store.pods.patch(pod, { service: publishedPorts(observed, place), observedAt: new Date() });
    return changed === null ? { kind: "fenced" } : { kind: "end", state: "succeeded", result: toPodRecord(changed), error: null, why };
  };
}
