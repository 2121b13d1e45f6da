import type { Params } from "@podq/jobs";
import { KubeError, type PodObservation, type Pods, type WriteControl } from "@podq/kube";
import { toPodRecord, type PodDocument, type Store } from "@podq/store";
import type { Attempt, Handler } from "../execute.ts";
import { ended, type Outcome } from "../outcome.ts";
import { notDue } from "../due.ts";
import { failurePatch, fenceOf, patchOf, type Place } from "./place.ts";

/** Stops a pod: its processes end, its record, volume and service stay. Its result is the pod's record. */
export function stopHandler(store: Pick<Store, "pods" | "jobs">, pods: Pods, place: Place): Handler {
  const stop = change(store, place, "it is stopped", async ({ identity }, control) => pods.stop(identity, control));
  return async (attempt) => {
    const used = await notDue(store.jobs, attempt.job, attempt.pod);
    return used === null || (await hasStopped(pods, attempt)) ? stop(attempt) : used;
  };
}

// An attempt before this one may have: then the record has to say so, whatever came since.
async function hasStopped(pods: Pods, { job, pod, hold }: Attempt): Promise<boolean> {
  if (job.attempt === 1 || pod === null) return false;
  const { timeoutMs } = job.params as Params<"stop">;
  const control = { signal: AbortSignal.any([hold.cancel, hold.detach]), timeoutMs };
  return (await pods.observe(pod.identity, control)).status === "stopped";
}

/** Starts a pod that is stopped, as it was. One that runs is left as it is. */
export function startHandler(store: Pick<Store, "pods">, pods: Pods, place: Place): Handler {
  return change(store, place, "the pod runs", async ({ identity }, control) => pods.start(identity, control));
}

/** Makes the processes of a pod begin anew, once, however many attempts that takes. */
export function restartHandler(store: Pick<Store, "pods">, pods: Pods, place: Place): Handler {
  return change(store, place, "it began anew", async ({ identity }, control, restart) => pods.start(identity, { ...control, restart }));
}

type Work = (pod: PodDocument, control: WriteControl, jobId: string) => Promise<PodObservation>;

function change(store: Pick<Store, "pods">, place: Place, why: string, work: Work): Handler {
  return async ({ job, pod, hold }) => {
    if (pod === null || pod.status === "deleted" || pod.deleteBegun) return notThere(job.podKey, pod);
    const { timeoutMs } = job.params as Params<"stop">;
    const fence = { n: fenceOf(job), raises: true };
    const control = { signal: AbortSignal.any([hold.cancel, hold.detach]), timeoutMs, fence };
    const changed = await changePod(store, place, pod, async () => work(pod, control, job._id));
    if (changed === null) return { kind: "fenced" };
    if (changed === "absent") return notThere(job.podKey, "absent");
    return { kind: "end", state: "succeeded", result: toPodRecord(changed), error: null, why };
  };
}

/** Does something to a pod and records what is there then. Null: the record has moved on. Throws what the work throws, recorded as well. */
export async function changePod(
  store: Pick<Store, "pods">,
  place: Place,
  pod: PodDocument,
  work: () => Promise<PodObservation>,
): Promise<PodDocument | "absent" | null> {
  try {
    const observed = await work();
    if (observed.status === "absent") return "absent";
    return await store.pods.patch(pod, { ...patchOf(observed, place), differs: pod.differs, error: null });
  } catch (error) {
    if (error instanceof KubeError && error.code !== "superseded") await store.pods.patch(pod, failurePatch(error, place));
    throw error;
  }
}

/** How a job ends whose pod is not there. `absent`: it is on record, and nowhere else. */
export function notThere(podKey: string, pod: PodDocument | null | "absent"): Outcome {
  const what = pod === null ? "was never created" : pod === "absent" ? "has nothing on the cluster any more" : "is deleted";
  return ended("failed", { code: "pod-not-running", message: `pod ${podKey} ${what}; create it first` });
}
