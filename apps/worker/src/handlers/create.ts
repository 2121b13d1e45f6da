import type { Params } from "@podq/jobs";
import { KubeError, type PodObservation, type Pods } from "@podq/kube";
import { toPodRecord, type Expiry, type JobDocument, type NewPod, type PodDocument, type PodPatch, type Store } from "@podq/store";
import type { Handler } from "../execute.ts";
import { hasLabels } from "../hosts/choose.ts";
import type { OwnerLimits } from "../limits.ts";
import { createAdmit, type Admit } from "./admit.ts";
import { failurePatch, fenceOf, keyOf, newPod, patchOf, type Place } from "./place.ts";
import { specOf } from "./spec.ts";

/** Makes a pod, or brings it to run. Its result is the pod's record. */
export function createHandler(store: Pick<Store, "pods" | "admissions" | "hosts">, pods: Pods, place: Place, limits: OwnerLimits): Handler {
  const admit = createAdmit(store, limits);
  return async ({ job, pod, hold, log }) => {
    const { image, resources, timeoutMs, placement, ifChanged = "ignore" } = job.params as Params<"create">;
    const fence = { n: fenceOf(job), raises: true };
    const control = { signal: AbortSignal.any([hold.cancel, hold.detach]), timeoutMs, fence, ifChanged, word: job._id };
    const spec = specOf(job, place);
    const expiry = expiryOf(job);
    const next = (generation: number, found?: NewPod["identity"]): NewPod =>
      newPod(job, place, generation, { image, resources, expiry, template: job.template ?? null }, found);

    let record = await currentGeneration(admit, pods, job, pod, next, { ...control, capacity: place.capacity });
    for (;;) {
      if (record === null) return { kind: "fenced" };
      try {
        const observed = await pods.create(record.identity, spec, control);
        const ends = expiry === null ? {} : { expiry };
        const differs = hasLabels(place.labels, placement?.labels ?? {}) ? observed.differs : [...observed.differs, "placement"];
        const { memory, cpu } = observed.resources ?? resources;
        const networkEnforced = (await store.hosts.network(place.host.name))?.enforced ?? null;
        const seen = { ...specPatch(observed, job), differs, networkEnforced, reserved: { memory, cpu }, error: null, ...ends };
        const saved = await store.pods.patch(record, { ...patchOf(observed, place), ...seen });
        return saved === null
          ? { kind: "fenced" }
          : { kind: "end", state: "succeeded", result: toPodRecord(saved), error: null, why: "the pod runs" };
      } catch (error) {
        if (!(error instanceof KubeError) || error.code === "superseded") throw error;
        const seen = error.observation === undefined ? {} : specPatch(error.observation, job);
        const back = await admit.givenBack(pods, record, error);
        const failed = await store.pods.patch(record, { ...failurePatch(error, place), ...seen, ...back });
        if (error.code !== "namespace-terminating") throw error;
        log.info({ namespace: record.namespace }, "the namespace is on its way out: making the next generation instead");
        record = failed && (await store.pods.renew(failed, next(failed.generation + 1), place.capacity));
      }
    }
  };
}

/** What a pod is made of, as it is there: of a create that failed, too, the record says what it has left. */
function specPatch({ image, resources, differs, updated, deploymentUid }: PodObservation, { labels, template }: JobDocument): PodPatch {
  return {
    ...(image === undefined ? {} : { image }),
    ...(resources === undefined ? {} : { resources }),
    ...(deploymentUid === undefined || differs.includes("labels") ? {} : { labels }),
    ...(deploymentUid === undefined || differs.length > 0 ? {} : { template: template ?? null }),
    updated,
  };
}

/** When the pod shall end by itself; null if the create says nothing of it, which leaves what there is. */
function expiryOf({ createdAt, params }: JobDocument): Expiry | null {
  const { ttlMs, idleAfterMs = null, onIdle = "stop" } = params as Params<"create">;
  if (ttlMs === undefined && idleAfterMs === null) return null;
  const after = (ms: number | null | undefined): Date | null => (ms == null ? null : new Date(createdAt.getTime() + ms));
  return { ttlAt: after(ttlMs), idleAfterMs, onIdle, usedAt: createdAt, lookAt: after(idleAfterMs), firedAt: null };
}

/** The record of the generation that shall run: found, adopted, or begun. Null: another worker is at it. Throws StoreError `host-full`. */
async function currentGeneration(
  admit: Admit,
  pods: Pods,
  job: JobDocument,
  pod: PodDocument | null,
  next: (generation: number, found?: NewPod["identity"]) => NewPod,
  { capacity, ...control }: { signal: AbortSignal; timeoutMs: number; capacity: number | null },
): Promise<PodDocument | null> {
  const asked = (job.params as Params<"create">).resources;
  if (pod !== null && pod.status !== "deleted" && !pod.deleteBegun) return admit.again(pod, asked);
  if (pod !== null)
    return admit.anew(job, asked, async (all) => {
      // It is this job's turn: a delete that was under way has ended without a word.
      const left = pod.status === "deleting" ? await all.patch(pod, { status: "error" }) : pod;
      return left && all.renew(left, next(pod.generation + 1), capacity);
    });
  const { current, highest } = await pods.find(keyOf(job), control);
  if (current === undefined) return admit.anew(job, asked, async (all) => all.insert(job.podKey, next(highest + 1), capacity));
  const { namespaceUid: _uid, ...identity } = current;
  return admit.anew(job, asked, async (all) => all.insert(job.podKey, next(identity.generation, identity), null));
}
