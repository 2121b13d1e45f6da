import { reconcileDeployment } from "./deployments.ts";
import { reconcileNamespace } from "./namespaces.ts";
import { condition, withCondition } from "./object.ts";
import type { Condition } from "./object.ts";
import { ownersOf, reconcile } from "./reconcile.ts";
import type { Loop } from "./reconcile.ts";
import { reconcileReplicaSet } from "./replica-sets.ts";
import type { Script } from "./script.ts";
import type { Change, Store } from "./store.ts";

type Key = { namespace: string | undefined; name: string };

const self = ({ object: { metadata } }: Change): Key => ({ namespace: metadata.namespace, name: metadata.name });

/** Starts the controllers of the cluster: Deployments, ReplicaSets, namespaces. */
export function startControllers(store: Store, script: Script, namespaceDelayMs: number): Loop[] {
  const deployments = reconcile(
    store,
    store.deployments,
    (change) => deploymentsOf(store, change),
    (object, requeue) => reconcileDeployment(store, object, requeue),
  );
  const replicaSets = reconcile(
    store,
    store.replicaSets,
    (change) =>
      change.object.kind === "ReplicaSet" ? [self(change)] : change.object.kind === "Pod" ? ownersOf(change.object, "ReplicaSet") : [],
    (object, requeue) => reconcileReplicaSet(store, script, object, requeue),
  );
  const due = new Map<string, number>();
  const namespaces = reconcile(
    store,
    store.namespaces,
    (change) => (change.object.kind === "Namespace" ? [self(change)] : []),
    (object, requeue) => {
      const { name, uid, deletionTimestamp } = object.metadata;
      if (deletionTimestamp === undefined) return;
      if (!due.has(uid)) due.set(uid, Date.now() + namespaceDelayMs);
      reconcileNamespace(store, script, object, due.get(uid) ?? 0, requeue);
      if (!store.namespaces.get(undefined, name)) due.delete(uid);
    },
  );
  return [deployments, replicaSets, namespaces];
}

function deploymentsOf(store: Store, change: Change): Key[] {
  const { object } = change;
  if (object.kind === "Deployment") return [self(change)];
  if (object.kind === "ReplicaSet") return ownersOf(object, "Deployment");
  if (object.kind !== "Pod" || change.type !== "DELETED") return [];
  // The last pod of an old ReplicaSet is gone: under Recreate the new one may begin.
  return ownersOf(object, "ReplicaSet").flatMap(({ namespace, name }) => {
    const set = store.replicaSets.get(namespace, name);
    return set ? ownersOf(set, "Deployment") : [];
  });
}

/** Makes the node look lost, or found again, to those who ask: its own condition and the readiness of its pods. */
export function setNodeReady(store: Store, ready: boolean): void {
  const nodes = store.collections.get("/nodes");
  for (const { metadata } of nodes?.list() ?? []) {
    nodes?.update(undefined, metadata.name, (draft) => {
      const lost = { status: "Unknown", reason: "NodeStatusUnknown", message: "Kubelet stopped posting node status." };
      const found = { status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" };
      draft.status = { ...draft.status, conditions: [{ type: "Ready", ...(ready ? found : lost) }] };
    });
  }
  for (const pod of store.pods.list()) {
    if (condition(pod.status.conditions, "PodScheduled")?.status !== "True" || pod.status.phase !== "Running") continue;
    store.pods.update(pod.metadata.namespace, pod.metadata.name, (draft) => {
      const runs = draft.status.containerStatuses?.every((one) => one.ready) === true;
      const lost: Condition = { type: "Ready", status: "False", reason: "NodeNotReady", message: "Node is not ready" };
      draft.status.conditions = withCondition(draft.status.conditions, ready && runs ? { type: "Ready", status: "True" } : lost);
    });
  }
}
