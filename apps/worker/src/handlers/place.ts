import { ownerParts } from "@podq/jobs";
import { podNames, type KubeCode, type KubeError, type PodObservation } from "@podq/kube";
import { codeOf } from "../outcome.ts";
import type { JobDocument, NewPod, PodDocument, PodPatch } from "@podq/store";

/** Where pods are made, how they are reached, the size of their journals, and how many there may be. */
export type Place = {
  installation: string;
  host: PodDocument["host"];
  accessHost: string | undefined;
  journal: string;
  /** The host's. */
  labels: Readonly<Record<string, string>>;
  /** Pods at most; null: no bound. */
  capacity: number | null;
};

/** Which pod a job is about, before it has a generation. */
export function keyOf(job: JobDocument): { kind: "project" | "conversation"; id: string; name: string } {
  return { ...ownerParts(job.owner), name: job.name };
}

/** Keeps what an earlier attempt may still send out: the server's time at its claim grows with each job of a pod. */
export function fenceOf(job: JobDocument): number {
  return job.attempts.at(-1)?.startedAt.getTime() ?? 0;
}

/** The start of a pod's record in a generation, under the names given or new ones. */
export function newPod(
  job: JobDocument,
  place: Place,
  generation: number,
  spec: Pick<NewPod, "image" | "resources" | "expiry" | "template">,
  found?: NewPod["identity"],
): NewPod {
  const identity = found ?? podNames({ installation: place.installation, ...keyOf(job), generation });
  return {
    owner: job.owner,
    name: job.name,
    generation,
    namespace: identity.namespace,
    identity,
    host: place.host,
    labels: job.labels,
    reserved: { memory: spec.resources.memory, cpu: spec.resources.cpu },
    ...spec,
  };
}

/** What an observation changes in the record. */
export function patchOf(observed: PodObservation, place: Place): PodPatch {
  return {
    ...(observed.status === "absent" ? {} : { status: observed.status }),
    ...(observed.namespaceUid === undefined ? {} : { namespaceUid: observed.namespaceUid }),
    ...(observed.deploymentUid === undefined ? {} : { deploymentUid: observed.deploymentUid }),
    podName: observed.podName ?? null,
    podUid: observed.podUid ?? null,
    differs: observed.differs,
    cause: null,
    drifted: [],
    marks: observed.marks ?? null,
    service: publishedPorts(observed, place),
    restarts: observed.restarts ?? null,
    startedAt: observed.startedAt ?? null,
    stoppedAt: observed.status === "stopped" ? new Date() : null,
    observedAt: new Date(),
  };
}

/** How what was observed is reached, from outside the cluster where that can be. */
export function publishedPorts({ service, nodeAddress }: PodObservation, { accessHost }: Place): PodDocument["service"] {
  const { access, nodePort, ports } = service;
  const address = accessHost ?? nodeAddress;
  const all = ports.map((port) => {
    const isOnNode = port.nodePort !== undefined && port.protocol === "TCP" && address !== undefined;
    return { ...port, nodePort: port.nodePort ?? null, url: port.url ?? (isOnNode ? `http://${address}:${port.nodePort}` : null) };
  });
  const accessUrl = all.find(({ url }) => url !== null)?.url ?? null;
  return { access: access ?? null, nodePort: nodePort ?? null, accessUrl, ports: all };
}

// Failures that say nothing about the pod: it is as it was, as far as anybody knows.
const onTheWay: ReadonlySet<KubeCode> = new Set<KubeCode>([
  "host-unreachable",
  "host-key-mismatch",
  "host-auth-failed",
  "kubectl-missing",
  "cluster-unreachable",
  "forbidden",
  "cancelled",
  "internal",
  "modified",
]);

/** What a failed operation changes in the record. */
export function failurePatch(error: KubeError, place: Place): PodPatch {
  const seen: PodPatch = error.observation === undefined ? {} : patchOf(error.observation, place);
  if (error.code === "changed") {
    const { stoppedAt: _asBefore, ...found } = seen; // nothing was done to it: it has been stopped for as long as before
    return found;
  }
  const code = codeOf(error.code);
  const told = code === "cancelled" ? null : { code, message: error.message, at: new Date() };
  return onTheWay.has(error.code) ? { ...seen, error: told } : { ...seen, status: "error", error: told };
}
