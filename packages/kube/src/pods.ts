import { checkCluster, type ClusterCheck } from "./check.ts";
import type { IfChanged } from "./change.ts";
import { createPod } from "./create.ts";
import { republish } from "./expose.ts";
import type { Fence } from "./fence.ts";
import type { IngressSettings } from "./ingress.ts";
import { createKubectl, labelled, paths } from "./kubectl.ts";
import type { Bounds, Kubectl } from "./kubectl.ts";
import { look, lookFor, namespacedKinds } from "./look.ts";
import { minReadySeconds } from "./manifest.ts";
import type { PodSpec } from "./manifest.ts";
import { annotation, isOurs, label, podHash, podNames, selectorOf } from "./names.ts";
import type { PodIdentity, PodKey } from "./names.ts";
import type { Namespace } from "./objects.ts";
import { observationOf } from "./observation.ts";
import type { PodObservation } from "./observation.ts";
import { withoutPort, withPort } from "./ports.ts";
import type { Port } from "./ports.ts";
import { removePod } from "./remove.ts";
import { withReasons } from "./restarts.ts";
import { startPod, stopPod } from "./scale.ts";
import type { Scaling } from "./scale.ts";
import type { PodRef } from "./remove.ts";
import type { Open, Run } from "./run.ts";
import { openMirror } from "./mirror.ts";
import type { Mirror, MirrorListener } from "./mirror.ts";
import { withEvictions } from "./evictions.ts";
import { sightOf } from "./sight.ts";
import type { Sight } from "./sight.ts";

/**
 * `kubectl` is how an argv begins on the host (default `["kubectl"]`); `installation` is checked before anything unknown is deleted;
 * `ingress` is how pods are reached that ask for one.
 */
export type PodsOptions = {
  run: Run;
  open: Open;
  kubectl?: readonly string[];
  installation: string;
  ingress?: IngressSettings | undefined;
};

/** Caller's cancel and how long the whole operation may take. */
export type Control = { signal?: AbortSignal; timeoutMs: number };

/** The same of what writes a Deployment; without a fence it is not compared with other writers. */
export type WriteControl = Control & { fence?: Fence };

/** The same of a create: what it does to a pod that is there and is otherwise, and a word of its own, by which a later attempt knows what it changed. */
export type CreateControl = WriteControl & { ifChanged?: IfChanged; word?: string };

/** What exists of a pod that nobody has a record of. */
export type Found = {
  /** The newest generation that is not on its way out: to be adopted by a create with this identity. */
  current?: PodIdentity & { namespaceUid: string };
  /** The newest generation of all, 0 if there is none: a new one has to be above it. */
  highest: number;
};

/** A pod's life on the cluster. Everything can be repeated, and throws KubeError. */
export type Pods = {
  /**
   * Makes it run: returns what runs already (with `differs`), restarts what does not, adopts what is ours, makes what is missing. What is
   * otherwise than asked is left, changed (`updated`) or refused (`changed`), as `ifChanged` says.
   */
  create(identity: PodIdentity, spec: PodSpec, control: CreateControl): Promise<PodObservation>;
  /** Ends its processes; everything else stays. `absent`: there is no Deployment of it. */
  stop(identity: PodIdentity, control: WriteControl): Promise<PodObservation>;
  /**
   * Makes it run as it was last applied, if there is a Deployment of it (else: `absent`). `restart`: a word of the caller's for this
   * restart: its processes begin anew, once however often the same word is given.
   */
  start(identity: PodIdentity, control: WriteControl & { restart?: string }): Promise<PodObservation>;
  /** Publishes a port more, which its container need not know; its processes go on. Throws `conflict` if its name or number is another's. */
  expose(identity: PodIdentity, port: Omit<Port, "name"> & { name?: string | undefined }, control: WriteControl): Promise<PodObservation>;
  /** Publishes a port no more. Throws `conflict` for the last one. */
  unexpose(identity: PodIdentity, port: string, control: WriteControl): Promise<PodObservation>;
  /** Looks for objects of this pod by their labels, in all namespaces. */
  find(key: Omit<PodKey, "generation" | "installation">, control: Control): Promise<Found>;
  /** Every generation of every pod of this installation that has a namespace which is not on its way out. */
  all(control: Control): Promise<(PodIdentity & { namespaceUid: string })[]>;
  /** What is there now. */
  observe(ref: PodRef, control: Control): Promise<PodObservation>;
  /** The same of a pod with a record, with its namespace and with what of its past can still be told. */
  sight(identity: PodIdentity & Pick<PodRef, "deploymentUid">, control: Control): Promise<Sight>;
  /** Begins to keep what the cluster has of all pods of this installation in memory. */
  mirror(listener: MirrorListener): Promise<Mirror>;
  /** Resolves if host, kubectl and API server answer. */
  ping(control: Control): Promise<void>;
  /** Deletes it, and returns once it is gone. */
  delete(ref: PodRef, control: Control): Promise<void>;
  /** Whether pods could be made: versions, and rights that are missing. */
  check(control: Control): Promise<ClusterCheck>;
};

/** The pods of one installation, on the cluster that `run` and `open` lead to. */
export function createPods({ run, open, kubectl: argv, installation, ingress }: PodsOptions): Pods {
  const kubectl = createKubectl({ run, open, ...(argv && { kubectl: argv }) });
  const scalingOf = (identity: PodIdentity, control: WriteControl): Scaling => {
    const bounds = boundsOf(control);
    return { kubectl, identity, look: async () => lookFor(kubectl, identity, bounds), fence: control.fence, ingress, bounds };
  };
  return {
    create: async (identity, spec, control) => {
      const { ifChanged = "ignore", word } = control;
      const how = { ifChanged, word, progressDeadlineSeconds: progressDeadlineOf(control) };
      return withReasons(kubectl, await createPod(scalingOf(identity, control), spec, how), boundsOf(control));
    },
    stop: async (identity, control) => {
      return stopPod(scalingOf(identity, control));
    },
    start: async (identity, control) => {
      const { restart } = control;
      return startPod(scalingOf(identity, control), { restart, progressDeadlineSeconds: progressDeadlineOf(control) });
    },
    expose: async (identity, port, control) => republish(scalingOf(identity, control), (there) => withPort(there, port)),
    unexpose: async (identity, name, control) => republish(scalingOf(identity, control), (there) => withoutPort(there, name)),
    find: (key, control) => find(kubectl, { ...key, installation }, boundsOf(control)),
    all: (control) => all(kubectl, installation, boundsOf(control)),
    check: (control) => checkCluster(kubectl, boundsOf(control), ingress !== undefined),
    delete: (ref, control) => removePod(kubectl, installation, ref, boundsOf(control)),
    async sight(identity, control) {
      const { deployments, services, ...found } = await look(
        kubectl,
        `namespaces,${namespacedKinds}`,
        identity.namespace,
        selectorOf(identity),
        boundsOf(control),
      );
      const service = services.find(({ metadata }) => metadata.name === identity.service);
      return withEvictions(kubectl, sightOf(identity, { ...found, deployments, service }), found.pods, boundsOf(control));
    },
    async mirror(listener) {
      return openMirror(kubectl, installation, listener);
    },
    async ping(control) {
      const ours = labelled(`${label.managedBy}=podq,${label.installation}=${installation}`);
      await kubectl.getRaw(paths.namespaces(`${ours}&limit=1`), boundsOf(control));
    },
    async observe(ref, control) {
      const selector = `${label.managedBy}=podq,${label.installation}=${installation}`;
      const { deployments, services, pods } = await look(kubectl, namespacedKinds, ref.namespace, selector, boundsOf(control));
      const deployment = deployments.find(({ metadata }) => isMeant(ref, metadata));
      const bounds = boundsOf(control);
      const observed = await withReasons(kubectl, observationOf(ref, { deployment, service: services[0], pods }), bounds);
      return deployment && ref.namespaceUid !== undefined ? { ...observed, namespaceUid: ref.namespaceUid } : observed;
    },
  };
}

function boundsOf({ signal, timeoutMs }: Control): Bounds {
  return { signal, until: performance.now() + timeoutMs };
}

// The cluster's own verdict on slowness is to come before ours.
function progressDeadlineOf({ timeoutMs }: Control): number {
  return Math.max(minReadySeconds + 1, Math.floor(timeoutMs / 1000) - 5);
}

function isMeant(ref: PodRef, { name, uid }: { name: string; uid: string }): boolean {
  return name === ref.deployment && (ref.deploymentUid === undefined || ref.deploymentUid === uid);
}

async function find(kubectl: Kubectl, key: Omit<PodKey, "generation">, bounds: Bounds): Promise<Found> {
  const selector = selectorOf({ installation: key.installation, hash: podHash(key) });
  const list = await kubectl.getRaw<{ items: Namespace[] }>(paths.namespaces(labelled(selector)), bounds);
  const ours = (list?.items ?? []).flatMap(({ metadata }) => {
    const generation = Number(metadata.labels?.[label.generation]);
    if (!Number.isSafeInteger(generation) || generation < 1) return [];
    // The names as they are, should a later version make others.
    const identity = { ...podNames({ ...key, generation }), namespace: metadata.name };
    return isOurs(identity, metadata) ? [{ identity, generation, metadata }] : [];
  });
  const newest = ours.toSorted((a, b) => b.generation - a.generation);
  const current = newest.find(({ metadata }) => metadata.deletionTimestamp === undefined);
  return {
    highest: newest[0]?.generation ?? 0,
    ...(current && { current: { ...current.identity, namespaceUid: current.metadata.uid } }),
  };
}

async function all(kubectl: Kubectl, installation: string, bounds: Bounds): Promise<(PodIdentity & { namespaceUid: string })[]> {
  const selector = `${label.managedBy}=podq,${label.installation}=${installation}`;
  const list = await kubectl.getRaw<{ items: Namespace[] }>(paths.namespaces(labelled(selector)), bounds);
  return (list?.items ?? []).flatMap(({ metadata }) => {
    const { [annotation.kind]: kind, [annotation.id]: id, [annotation.name]: name } = metadata.annotations ?? {};
    const generation = Number(metadata.labels?.[label.generation]);
    if (metadata.deletionTimestamp !== undefined || !Number.isSafeInteger(generation) || generation < 1) return [];
    if ((kind !== "project" && kind !== "conversation") || id === undefined || name === undefined) return [];
    const identity = { ...podNames({ installation, kind, id, name, generation }), namespace: metadata.name };
    return isOurs(identity, metadata) ? [{ ...identity, namespaceUid: metadata.uid }] : [];
  });
}
