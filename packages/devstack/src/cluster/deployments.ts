import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { deleteObject } from "./deletion.ts";
import { deploymentStatus, progressLeft, revisionOf } from "./deployment-status.ts";
import { recordEvent } from "./events.ts";
import type { Deployment, Pod, PodTemplate, ReplicaSet } from "./object.ts";
import type { Requeue } from "./reconcile.ts";
import type { Store } from "./store.ts";

const REVISION = "deployment.kubernetes.io/revision";
const HASH = "pod-template-hash";

/** The Deployment controller: makes ReplicaSets and scales them, one at a time under Recreate. */
export function reconcileDeployment(store: Store, deployment: Deployment, requeue: Requeue): void {
  const { namespace = "", name } = deployment.metadata;
  if (deployment.metadata.deletionTimestamp !== undefined) return;
  const owned = ownedSets(store, deployment);
  const current = owned.find((one) => sameTemplate(one.spec.template, deployment.spec.template));
  const others = owned.filter((one) => one !== current);
  const { replicas, strategy } = deployment.spec;
  const recreate = strategy.type === "Recreate";
  for (const one of others) if (recreate || isReady(current, replicas)) scale(store, deployment, one, 0);
  const emptied = others.every((one) => podsOf(store, one).length === 0);
  if (current) scale(store, deployment, current, recreate && !emptied ? Math.min(replicas, current.spec.replicas) : replicas);
  else if (!recreate || emptied) makeSet(store, deployment, owned);
  const latest = ownedSets(store, deployment);
  const newest = latest.find((one) => sameTemplate(one.spec.template, deployment.spec.template));
  const revision = newest ? raiseRevision(store, newest, latest) : undefined;
  dropOld(
    store,
    deployment,
    latest.filter((one) => one !== newest),
  );
  store.deployments.update(namespace, name, (draft) => {
    if (revision) draft.metadata.annotations = { ...draft.metadata.annotations, [REVISION]: String(revision) };
    draft.status = deploymentStatus(draft, newest, latest);
  });
  const left = progressLeft(store.deployments.get(namespace, name) ?? deployment);
  if (left !== undefined) requeue(left);
}

const ownedSets = (store: Store, deployment: Deployment): ReplicaSet[] =>
  store.replicaSets
    .list(deployment.metadata.namespace)
    .filter((one) => one.metadata.ownerReferences?.some((owner) => owner.uid === deployment.metadata.uid));

const isReady = (set: ReplicaSet | undefined, replicas: number): boolean => (set?.status.availableReplicas ?? 0) >= replicas;

/** The pods of a ReplicaSet that are not over, those on their way out included. */
export function podsOf(store: Store, set: ReplicaSet): Pod[] {
  return store.pods.list(set.metadata.namespace).filter((pod) => {
    return (
      pod.metadata.ownerReferences?.some((owner) => owner.uid === set.metadata.uid) &&
      pod.status.phase !== "Failed" &&
      pod.status.phase !== "Succeeded"
    );
  });
}

const sameTemplate = (a: PodTemplate, b: PodTemplate): boolean => isDeepStrictEqual(withoutHash(a), withoutHash(b));

function withoutHash({ metadata, spec }: PodTemplate): object {
  const labels = Object.entries(metadata?.labels ?? {}).filter(([key]) => key !== HASH);
  return { spec, annotations: metadata?.annotations ?? {}, labels: Object.fromEntries(labels) };
}

const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

function templateHash(template: PodTemplate): string {
  const digest = createHash("sha256").update(JSON.stringify(template)).digest();
  return [...digest.subarray(0, 10)].map((byte) => ALPHABET[byte % ALPHABET.length]).join("");
}

function makeSet(store: Store, deployment: Deployment, owned: readonly ReplicaSet[]): void {
  const { spec, metadata } = deployment;
  const hash = templateHash(spec.template);
  const labels = { ...spec.template.metadata?.labels, [HASH]: hash };
  const revision = Math.max(0, ...owned.map(revisionOf)) + 1;
  const counts = {
    "deployment.kubernetes.io/desired-replicas": String(spec.replicas),
    "deployment.kubernetes.io/max-replicas": String(spec.replicas),
  };
  const { apiVersion, kind } = deployment;
  const set = store.replicaSets.insert({
    apiVersion,
    kind: "ReplicaSet",
    metadata: {
      name: `${metadata.name}-${hash}`,
      namespace: metadata.namespace ?? "",
      uid: "",
      resourceVersion: "",
      creationTimestamp: "",
      labels,
      annotations: { ...counts, [REVISION]: String(revision) },
      ownerReferences: [{ apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true, blockOwnerDeletion: true }],
    },
    spec: {
      replicas: spec.replicas,
      ...(spec.minReadySeconds ? { minReadySeconds: spec.minReadySeconds } : {}),
      selector: { ...spec.selector, matchLabels: { ...spec.selector.matchLabels, [HASH]: hash } },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
    status: { replicas: 0 },
  });
  if (spec.replicas > 0) say(store, deployment, `Scaled up replica set ${set.metadata.name} from 0 to ${spec.replicas}`);
}

function scale(store: Store, deployment: Deployment, set: ReplicaSet, replicas: number): void {
  const from = set.spec.replicas;
  if (from === replicas) return;
  store.replicaSets.update(set.metadata.namespace, set.metadata.name, (draft) => {
    draft.spec.replicas = replicas;
  });
  say(store, deployment, `Scaled ${replicas > from ? "up" : "down"} replica set ${set.metadata.name} from ${from} to ${replicas}`);
}

const say = (store: Store, about: Deployment, message: string): void =>
  recordEvent(store, about, { type: "Normal", reason: "ScalingReplicaSet", message, component: "deployment-controller" });

// A template that comes back makes its old ReplicaSet the newest again.
function raiseRevision(store: Store, newest: ReplicaSet, all: readonly ReplicaSet[]): number {
  const highest = Math.max(0, ...all.filter((one) => one !== newest).map(revisionOf));
  const revision = Math.max(revisionOf(newest), highest + 1);
  store.replicaSets.update(newest.metadata.namespace, newest.metadata.name, (draft) => {
    draft.metadata.annotations = { ...draft.metadata.annotations, [REVISION]: String(revision) };
  });
  return revision;
}

function dropOld(store: Store, deployment: Deployment, old: readonly ReplicaSet[]): void {
  const idle = old.filter((one) => one.spec.replicas === 0 && one.status.replicas === 0 && podsOf(store, one).length === 0);
  const byAge = idle.sort((a, b) => revisionOf(a) - revisionOf(b));
  for (const one of byAge.slice(0, Math.max(0, byAge.length - deployment.spec.revisionHistoryLimit))) {
    deleteObject(store, store.replicaSets, one);
  }
}
