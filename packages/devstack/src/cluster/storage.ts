import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { dropFinalizer } from "./deletion.ts";
import { recordEvent } from "./events.ts";
import type { Claim, KubeObject, Pod, StorageClass } from "./object.ts";
import { quantityValue } from "./quantity.ts";
import { reconcile } from "./reconcile.ts";
import type { Loop, Requeue } from "./reconcile.ts";
import { removeTree } from "./sandbox.ts";
import type { Store } from "./store.ts";

const PROVISIONER = "podq.dev/directory";
const NODE = "volume.kubernetes.io/selected-node";
// The real controller looks at what it could not bind again after 15 s.
const AGAIN_MS = 5_000;

/** The class that a claim without one gets: volumes are folders of this machine, made at once. */
export function standardClass(): StorageClass {
  const annotations = { "storageclass.kubernetes.io/is-default-class": "true" };
  const metadata = { name: "standard", uid: "", resourceVersion: "", creationTimestamp: "", annotations };
  const how = { provisioner: PROVISIONER, reclaimPolicy: "Delete", volumeBindingMode: "Immediate" };
  return { apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata, ...how };
}

/** Starts the controller of claims: gives each a volume, a folder in `dir`, when its class says so, and takes that away with it. */
export function startStorage(store: Store, dir: string): Loop {
  const all = (): { namespace: string | undefined; name: string }[] => store.claims.list().map(({ metadata }) => metadata as never);
  return reconcile(
    store,
    store.claims,
    ({ type, resource, object }) => {
      const { namespace, name } = object.metadata;
      if (resource === store.claims.resource && type === "DELETED") release(store, object);
      if (resource === store.claims.resource) return [{ namespace, name }];
      if (resource === store.pods.resource) return claimsOf(object as Pod).map((claimName) => ({ namespace, name: claimName }));
      return resource === store.classes.resource ? all() : [];
    },
    (claim, requeue) => look(store, dir, claim, requeue),
  );
}

/** What {@link unbound} answers of a pod that is about to get its volume, and is not said to be unschedulable. */
export const WAITS_FOR_VOLUME = "";

/** Why a pod's claims keep it from its node, in the scheduler's words. Says to the controller which claims are wanted now. */
export function unbound(store: Store, pod: Pod): string | undefined {
  for (const name of claimsOf(pod)) {
    const claim = store.claims.get(pod.metadata.namespace, name);
    if (!claim) return `persistentvolumeclaim "${name}" not found`;
    if (claim.status.phase === "Bound") continue;
    const kind = classOf(store, claim);
    if (kind?.volumeBindingMode !== "WaitForFirstConsumer")
      return "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found";
    if (kind.provisioner === "kubernetes.io/no-provisioner")
      return "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    store.claims.update(claim.metadata.namespace, name, ({ metadata }) => {
      metadata.annotations = { ...metadata.annotations, [NODE]: "n1" };
    });
    return WAITS_FOR_VOLUME;
  }
  return undefined;
}

/** The folder of a bound claim. */
export function volumePath(store: Store, namespace: string, name: string): string | undefined {
  const volume = store.volumes.get(undefined, store.claims.get(namespace, name)?.spec.volumeName ?? "");
  return (volume?.spec?.hostPath as { path?: string } | undefined)?.path;
}

const claimsOf = ({ spec }: Pod): string[] => (spec.volumes ?? []).flatMap((one) => one.persistentVolumeClaim?.claimName ?? []);

const classOf = (store: Store, { spec }: Claim): StorageClass | undefined => store.classes.get(undefined, spec.storageClassName ?? "");

function look(store: Store, dir: string, claim: Claim, requeue: Requeue): void {
  const { namespace, name, deletionTimestamp } = claim.metadata;
  if (deletionTimestamp !== undefined) {
    // While a pod that has a node uses it, it stays.
    const used = store.pods.list(namespace).some((pod) => pod.spec.nodeName !== undefined && claimsOf(pod).includes(name));
    if (!used) dropFinalizer(store.claims, claim, "kubernetes.io/pvc-protection");
  } else if (claim.status.phase === "Bound") grow(store, claim);
  else bind(store, dir, claim, requeue);
}

function bind(store: Store, dir: string, claim: Claim, requeue: Requeue): void {
  const { storageClassName } = claim.spec;
  const kind = classOf(store, claim);
  const say = (type: "Normal" | "Warning", reason: string, message: string): void => {
    recordEvent(store, claim, { type, reason, message, component: "persistentvolume-controller" });
    requeue(AGAIN_MS);
  };
  if (storageClassName === undefined || storageClassName === "")
    return say("Normal", "FailedBinding", "no persistent volumes available for this claim and no storage class is set");
  if (!kind) return say("Warning", "ProvisioningFailed", `storageclass.storage.k8s.io "${storageClassName}" not found`);
  if (kind.volumeBindingMode === "WaitForFirstConsumer" && claim.metadata.annotations?.[NODE] === undefined)
    return say("Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding");
  if (kind.provisioner !== PROVISIONER) {
    const words = `Waiting for a volume to be created either by the external provisioner '${kind.provisioner}' or manually by the system administrator.`;
    return say(
      "Normal",
      "ExternalProvisioning",
      `${words} If volume creation is delayed, please verify that the provisioner is running and correctly registered.`,
    );
  }
  provision(store, dir, claim);
}

function provision(store: Store, dir: string, { metadata, spec }: Claim): void {
  const { namespace, name, uid } = metadata;
  const volumeName = `pvc-${uid}`;
  const path = join(dir, volumeName);
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o2777);
  const capacity = { storage: spec.resources?.requests?.storage ?? "0" };
  store.volumes.insert({
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: volumeName, uid: "", resourceVersion: "", creationTimestamp: "" },
    spec: {
      accessModes: spec.accessModes ?? [],
      capacity,
      claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid },
      hostPath: { path, type: "" },
      persistentVolumeReclaimPolicy: "Delete",
      storageClassName: spec.storageClassName,
      volumeMode: "Filesystem",
    },
    status: { phase: "Bound" },
  });
  store.claims.update(namespace, name, (draft) => {
    draft.spec.volumeName = volumeName;
    draft.status = { phase: "Bound", capacity };
  });
}

function grow(store: Store, { metadata, spec, status }: Claim): void {
  const wanted = spec.resources?.requests?.storage ?? "0";
  if (quantityValue(wanted) <= quantityValue(status.capacity?.storage)) return;
  const capacity = { storage: wanted };
  store.volumes.update(undefined, spec.volumeName ?? "", (draft) => {
    draft.spec = { ...draft.spec, capacity };
  });
  store.claims.update(metadata.namespace, metadata.name, (draft) => {
    draft.status.capacity = capacity;
  });
}

// The volume of a claim that is gone goes with all that is in it, as its class says.
function release(store: Store, { spec }: KubeObject): void {
  const name = typeof spec?.volumeName === "string" ? spec.volumeName : "";
  const path = (store.volumes.get(undefined, name)?.spec?.hostPath as { path?: string } | undefined)?.path;
  store.volumes.remove(undefined, name);
  if (path !== undefined) void removeTree(path);
}
