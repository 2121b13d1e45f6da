import { checkCluster, type ClusterCheck } from "./check.ts";
import { differs } from "./differs.ts";
import { KubeError } from "./errors.ts";
import { fencedMetadata, untilUnmodified } from "./fence.ts";
import type { Fence } from "./fence.ts";
import { createKubectl, labelled, paths } from "./kubectl.ts";
import type { Bounds, Kubectl } from "./kubectl.ts";
import { manifest, minReadySeconds } from "./manifest.ts";
import type { PodSpec, StartOptions } from "./manifest.ts";
import { annotation, isOurs, label, podHash, podNames, selectorOf } from "./names.ts";
import type { PodIdentity, PodKey } from "./names.ts";
import type { Deployment, KubeObject, Namespace, Pod, Service } from "./objects.ts";
import { observationOf } from "./observation.ts";
import type { PodObjects, PodObservation } from "./observation.ts";
import { untilReady } from "./ready.ts";
import { removePod } from "./remove.ts";
import { startOf, startPod, stopPod } from "./scale.ts";
import type { Scaling } from "./scale.ts";
import type { PodRef } from "./remove.ts";
import type { Open, Run } from "./run.ts";
import { judge } from "./verdict.ts";

/** `kubectl` is how an argv begins on the host (default `["kubectl"]`); `installation` is checked before anything unknown is deleted. */
export type PodsOptions = { run: Run; open: Open; kubectl?: readonly string[]; installation: string };

/** Caller's cancel and how long the whole operation may take. */
export type Control = { signal?: AbortSignal; timeoutMs: number };

/** The same of what writes a Deployment; without a fence it is not compared with other writers. */
export type WriteControl = Control & { fence?: Fence };

/** What exists of a pod that nobody has a record of. */
export type Found = {
  /** The newest generation that is not on its way out: to be adopted by a create with this identity. */
  current?: PodIdentity & { namespaceUid: string };
  /** The newest generation of all, 0 if there is none: a new one has to be above it. */
  highest: number;
};

/** A pod's life on the cluster. Everything can be repeated, and throws KubeError. */
export type Pods = {
  /** Makes it run: returns what runs already (with `differs`), restarts what does not, adopts what is ours, makes what is missing. */
  create(identity: PodIdentity, spec: PodSpec, control: WriteControl): Promise<PodObservation>;
  /** Ends its processes; everything else stays. `absent`: there is no Deployment of it. */
  stop(identity: PodIdentity, control: WriteControl): Promise<PodObservation>;
  /**
   * Makes it run as it was last applied, if there is a Deployment of it (else: `absent`). `restart`: a word of the caller's for this
   * restart: its processes begin anew, once however often the same word is given.
   */
  start(identity: PodIdentity, control: WriteControl & { restart?: string }): Promise<PodObservation>;
  /** Looks for objects of this pod by their labels, in all namespaces. */
  find(key: Omit<PodKey, "generation" | "installation">, control: Control): Promise<Found>;
  /** Every generation of every pod of this installation that has a namespace which is not on its way out. */
  all(control: Control): Promise<(PodIdentity & { namespaceUid: string })[]>;
  /** What is there now. */
  observe(ref: PodRef, control: Control): Promise<PodObservation>;
  /** Deletes it, and returns once it is gone. */
  delete(ref: PodRef, control: Control): Promise<void>;
  /** Whether pods could be made: versions, and rights that are missing. */
  check(control: Control): Promise<ClusterCheck>;
};

/** The pods of one installation, on the cluster that `run` and `open` lead to. */
export function createPods({ run, open, kubectl: argv, installation }: PodsOptions): Pods {
  const kubectl = createKubectl({ run, open, ...(argv && { kubectl: argv }) });
  const scalingOf = (identity: PodIdentity, control: WriteControl): Scaling => {
    const bounds = boundsOf(control);
    return { kubectl, identity, look: async () => lookFor(kubectl, identity, bounds), fence: control.fence, bounds };
  };
  return {
    create: (identity, spec, control) => create(kubectl, identity, spec, control),
    stop: async (identity, control) => {
      return stopPod(scalingOf(identity, control));
    },
    start: async (identity, control) => {
      const { restart } = control;
      return startPod(scalingOf(identity, control), { restart, progressDeadlineSeconds: progressDeadlineOf(control) });
    },
    find: (key, control) => find(kubectl, { ...key, installation }, boundsOf(control)),
    all: (control) => all(kubectl, installation, boundsOf(control)),
    check: (control) => checkCluster(kubectl, boundsOf(control)),
    delete: (ref, control) => removePod(kubectl, installation, ref, boundsOf(control)),
    async observe(ref, control) {
      const selector = `${label.managedBy}=podq,${label.installation}=${installation}`;
      const { deployments, services, pods } = await look(kubectl, namespacedKinds, ref.namespace, selector, boundsOf(control));
      const deployment = deployments.find(({ metadata }) => isMeant(ref, metadata));
      const observed = observationOf(ref, { deployment, service: services[0], pods });
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

async function create(kubectl: Kubectl, identity: PodIdentity, spec: PodSpec, control: WriteControl): Promise<PodObservation> {
  refuseReservedLabels(spec);
  const bounds = boundsOf(control);
  const [there, applied] = await untilUnmodified(bounds, async () => {
    const there = await lookFor(kubectl, identity, bounds);
    return [there, await applyUnlessRunning(kubectl, identity, spec, there, control, bounds)] as const;
  });
  try {
    return "status" in applied ? applied : await untilReady(kubectl, identity, applied, bounds);
  } catch (error) {
    if (error instanceof KubeError && error.observation === undefined) throw error.withObservation(observationOf(identity, there));
    throw error;
  }
}

async function applyUnlessRunning(
  kubectl: Kubectl,
  identity: PodIdentity,
  spec: PodSpec,
  there: PodObjects,
  control: WriteControl,
  bounds: Bounds,
): Promise<PodObservation | (PodObjects & { deployment: Deployment })> {
  const metadata = fencedMetadata(control.fence, there.deployment);
  const verdict = judge(there.deployment, there.pods);
  const different = there.deployment ? differs(identity, spec, there.deployment) : [];
  if (verdict.kind === "running") return observationOf(identity, there, { differs: different });
  // What is just starting as asked is only waited for. In every other case a new number in the template makes the cluster begin
  // anew: it replaces a pod that failed, and tries again at once where it had backed off. It is counted rather than drawn, so
  // that two who do the same at once apply the same.
  const last = startOf(there.deployment);
  const start = String(verdict.kind === "starting" && different.length === 0 ? last : last + 1);
  try {
    return await apply(kubectl, identity, spec, { start, metadata, progressDeadlineSeconds: progressDeadlineOf(control) }, bounds);
  } catch (error) {
    if (error instanceof KubeError && error.observation === undefined) throw error.withObservation(observationOf(identity, there));
    throw error;
  }
}

function refuseReservedLabels({ labels = {} }: PodSpec): void {
  const reserved = Object.keys(labels).filter((key) => /^(?:[^/]*\.)?(?:kubernetes\.io|k8s\.io|podq\.dev)\//.test(key));
  if (reserved.length > 0) throw new KubeError("invalid-request", `labels of Kubernetes and podq cannot be set: ${reserved.join(", ")}`);
}

/** Everything that is there under the pod's names, if all of it is the pod's and none of it is on its way out. */
async function lookFor(kubectl: Kubectl, identity: PodIdentity, bounds: Bounds): Promise<PodObjects> {
  const found = await look(kubectl, `namespaces,${namespacedKinds}`, identity.namespace, selectorOf(identity), bounds);
  const namespace = found.namespace ?? (await kubectl.getRaw<Namespace>(paths.namespace(identity.namespace), bounds));
  const deployment = found.deployments.find(({ metadata }) => metadata.name === identity.deployment);
  const service = found.services.find(({ metadata }) => metadata.name === identity.service);
  for (const object of [namespace, deployment, service])
    if (object !== undefined && !isOurs(identity, object.metadata))
      throw new KubeError("conflict", `${object.kind ?? "Object"} ${object.metadata.name} exists and is not this pod's; it was left alone`);
  const objects = { namespace, deployment, service, pods: found.pods };
  refuseTerminating(identity, objects);
  return objects;
}

// What is applied to a namespace that is going is accepted, and then deleted with it.
function refuseTerminating(identity: PodIdentity, objects: PodObjects): void {
  const going = [objects.namespace, objects.deployment, objects.service].find((object) => object?.metadata.deletionTimestamp !== undefined);
  if (going === undefined) return;
  const message = `${going.kind ?? "Object"} ${going.metadata.name} is being deleted`;
  throw new KubeError("namespace-terminating", message, { observation: observationOf(identity, objects) });
}

async function apply(
  kubectl: Kubectl,
  identity: PodIdentity,
  spec: PodSpec,
  options: StartOptions,
  bounds: Bounds,
): Promise<PodObjects & { deployment: Deployment }> {
  // One object a line: kubectl takes the input for JSON by its first character and fails at a `---`. Everything goes through
  // stdin, because an argv can be seen by others on the host.
  const objects = manifest(identity, spec, options).map((object) => JSON.stringify(object));
  const flags = ["--server-side", "--field-manager=podq", "--force-conflicts", "--validate=ignore"];
  const answer = await kubectl.json<List>(["apply", ...flags, "-o", "json", "-f", "-"], bounds, objects.join("\n"));
  const { namespace, deployments, services } = sorted(answer, identity.namespace);
  const [deployment] = deployments;
  if (deployment === undefined) throw new KubeError("internal", "kubectl applied the objects, but did not say what became of them");
  const applied = { namespace, deployment, service: services[0], pods: [] };
  refuseTerminating(identity, applied);
  return applied;
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

type List = { items: (KubeObject & { kind?: string })[] };
type Sorted = { namespace: Namespace | undefined; deployments: Deployment[]; services: Service[]; pods: Pod[] };

const namespacedKinds = "deployments.apps,services,pods";

// One call for all kinds. Namespaces are cluster-wide, so those of other generations come too and are sorted out.
async function look(kubectl: Kubectl, kinds: string, namespace: string, selector: string, bounds: Bounds): Promise<Sorted> {
  const args = ["get", kinds, `--namespace=${namespace}`, `--selector=${selector}`, "-o", "json"];
  return sorted(await kubectl.json<List>(args, bounds), namespace);
}

function sorted({ items }: List, namespace: string): Sorted {
  const of = <T extends KubeObject>(kind: string): T[] => items.filter((item) => item.kind === kind) as T[];
  return {
    namespace: of<Namespace>("Namespace").find(({ metadata }) => metadata.name === namespace),
    deployments: of<Deployment>("Deployment"),
    services: of<Service>("Service"),
    pods: of<Pod>("Pod"),
  };
}
