import { admitPod } from "./admission.ts";
import { generatedName } from "./api.ts";
import { ApiError, forbidden } from "./api-error.ts";
import { setDefaults } from "./defaults.ts";
import { deleteObject } from "./deletion.ts";
import { podsOf } from "./deployments.ts";
import { recordEvent } from "./events.ts";
import { condition, isMap } from "./object.ts";
import type { Condition, Pod, ReplicaSet } from "./object.ts";
import type { Requeue } from "./reconcile.ts";
import type { Script } from "./script.ts";
import type { Store } from "./store.ts";

/** The ReplicaSet controller: as many pods as the set wants, and what came of it in its status. */
export function reconcileReplicaSet(store: Store, script: Script, set: ReplicaSet, requeue: Requeue): void {
  if (set.metadata.deletionTimestamp !== undefined) return;
  const { namespace = "", name } = set.metadata;
  const living = podsOf(store, set).filter((pod) => pod.metadata.deletionTimestamp === undefined);
  let failure: string | undefined;
  for (let missing = set.spec.replicas - living.length; missing > 0 && failure === undefined; missing -= 1) {
    failure = makePod(store, script, set);
  }
  const surplus = living.sort((a, b) => Number(isReady(a)) - Number(isReady(b))).slice(0, Math.max(0, living.length - set.spec.replicas));
  for (const pod of surplus) {
    deleteObject(store, store.pods, pod);
    say(store, set, "Normal", "SuccessfulDelete", `Deleted pod: ${pod.metadata.name}`);
  }
  if (failure !== undefined) say(store, set, "Warning", "FailedCreate", `Error creating: ${failure}`);
  const present = podsOf(store, set).filter((pod) => pod.metadata.deletionTimestamp === undefined);
  const ready = present.filter(isReady);
  const waits = ready.map((pod) => availableIn(pod, set.spec.minReadySeconds ?? 0));
  const available = waits.filter((ms) => ms <= 0).length;
  const soonest = Math.min(...waits.filter((ms) => ms > 0));
  if (Number.isFinite(soonest)) requeue(soonest);
  if (failure !== undefined) requeue(RETRY_MS);
  store.replicaSets.update(namespace, name, (draft) => {
    const count = present.length;
    const counts = count > 0 ? { fullyLabeledReplicas: count } : {};
    const more = {
      ...(ready.length > 0 ? { readyReplicas: ready.length } : {}),
      ...(available > 0 ? { availableReplicas: available } : {}),
    };
    const conditions = failureCondition(draft, failure, count);
    const observedGeneration = draft.metadata.generation ?? 1;
    draft.status = {
      replicas: count,
      ...counts,
      ...more,
      terminatingReplicas: 0,
      observedGeneration,
      ...(conditions ? { conditions } : {}),
    };
  });
}

// The real controller doubles this from 5 ms to 1000 s.
const RETRY_MS = 1000;

function failureCondition(set: ReplicaSet, failure: string | undefined, count: number): Condition[] | undefined {
  const old = condition(set.status.conditions, "ReplicaFailure");
  if (old && count < set.spec.replicas) return [old];
  if (failure === undefined) return undefined;
  const lastTransitionTime = `${new Date().toISOString().slice(0, 19)}Z`;
  return [{ type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: failure, lastTransitionTime }];
}

function makePod(store: Store, script: Script, set: ReplicaSet): string | undefined {
  const { namespace = "", name, uid } = set.metadata;
  const { template } = set.spec;
  const { apiVersion, kind } = set;
  const pod: Pod = structuredClone({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: generatedName(`${name}-`),
      generateName: `${name}-`,
      namespace,
      uid: "",
      resourceVersion: "",
      creationTimestamp: "",
      labels: template.metadata?.labels ?? {},
      ...(template.metadata?.annotations ? { annotations: template.metadata.annotations } : {}),
      ownerReferences: [{ apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true }],
    },
    spec: template.spec,
    status: { phase: "Pending" },
  });
  try {
    const fault = script.take("create-pod", { namespace });
    if (fault) return fault.message.replaceAll("POD", pod.metadata.name);
    const space = store.namespaces.get(undefined, namespace);
    if (space?.metadata.deletionTimestamp !== undefined) {
      throw forbidden(
        store.pods.resource,
        pod.metadata.name,
        `unable to create new content in namespace ${namespace} because it is being terminated`,
      );
    }
    setDefaults(pod);
    admitPod(store, pod);
    store.pods.insert(pod);
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
  say(store, set, "Normal", "SuccessfulCreate", `Created pod: ${pod.metadata.name}`);
  return undefined;
}

const say = (store: Store, about: ReplicaSet, type: "Normal" | "Warning", reason: string, message: string): void =>
  recordEvent(store, about, { type, reason, message, component: "replicaset-controller" });

const isReady = (pod: Pod): boolean => condition(pod.status.conditions, "Ready")?.status === "True";

function availableIn(pod: Pod, minReadySeconds: number): number {
  const since = condition(pod.status.conditions, "Ready")?.lastTransitionTime;
  return since === undefined || !isMap(pod.status) ? Number.POSITIVE_INFINITY : Date.parse(since) + minReadySeconds * 1000 - Date.now();
}
