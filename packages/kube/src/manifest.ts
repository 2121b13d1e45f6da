import { literal } from "./literal.ts";
import { annotation, annotationsOf, label, labelsOf } from "./names.ts";
import type { PodIdentity } from "./names.ts";
import { schedulingOf, type Toleration } from "./scheduling.ts";
import { containerSecurity, levelLabels, podSecurity, type Level } from "./security.ts";
import type { Access, Port } from "./ports.ts";
import { networkPolicyOf } from "./network.ts";
import type { Network } from "./network.ts";
import type { Service } from "./objects.ts";
import { probesOf } from "./probes.ts";
import type { Probes } from "./probes.ts";

/** The four figures of a container, as Kubernetes quantities. */
export type Resources = { memory: string; cpu: string; memoryRequests: string; cpuRequests: string };

/** What a pod is to be. */
export type PodSpec = {
  image: string;
  /** argv of the main process, `"image"` for the image's own; default one that waits, reaps orphans and ends on TERM. */
  command?: string[] | "image";
  env?: Record<string, string>;
  /** Labels of the Deployment and its pods. Keys of Kubernetes and podq are refused. */
  labels?: Record<string, string>;
  /** uid, gid and fsGroup; default 1000. */
  user?: number;
  resources: Resources;
  /** Size limit of /workspace; a pod that exceeds it is evicted. Default 10Gi. */
  storage?: string;
  /** Pod Security level of its namespace, which it meets; default "restricted". */
  level?: Level;
  /** Name of a RuntimeClass. */
  runtimeClass?: string;
  /** Labels that its node must have, and taints of nodes that do not keep it away. */
  nodeSelector?: Record<string, string>;
  tolerations?: readonly Toleration[];
  /** Its ports, the first of which is its own address; default those that it has, or `http` 8080. The container need not be told of them. */
  ports?: readonly Port[];
  /** How they are reached; default as they are, or at a node port. */
  access?: Access;
  /** Size limit of the exec journal's volume; a pod over it is evicted. Default 1Gi, which any set of execs at once fits. */
  journal?: string;
  /** How the cluster finds out whether it does its work. Default: not at all. */
  probes?: Probes;
  /** What it may be connected to. Default: DNS and the internet; and its ports from everywhere. */
  network?: Network;
};

/**
 * How this start of the pod goes: `start` numbers its template, so that a pod of an earlier start is known as such; `metadata` is what
 * the Deployment has besides.
 */
export type StartOptions = {
  start: string;
  progressDeadlineSeconds: number;
  metadata?: { resourceVersion?: string; annotations?: Record<string, string> };
};

/** The container's name in every pod. */
export const containerName = "workspace";

/** Seconds for which a container must have been ready to count: one that dies at once would count too without it. */
export const minReadySeconds = 2;

const DEFAULT_USER = 1000;
const DEFAULT_STORAGE = "10Gi";
const DEFAULT_JOURNAL = "1Gi";
const PORT = 8080;

/**
 * The main process unless another is asked for. As PID 1 it must reap, or the orphans of ended commands stay as zombies, and
 * it must handle TERM, which the kernel does not deliver to a PID 1 without a handler. `wait` does both without waking up.
 */
export const idleCommand: readonly string[] = ["sh", "-c", 'trap "exit 0" TERM INT; while :; do sleep 2147483647 & wait $!; done'];

/** All objects of a running pod, in the order in which they must be applied; its Service is made by who knows what it publishes. */
export function manifest(identity: PodIdentity, spec: PodSpec, options: StartOptions, service: Pick<Service, "spec">): object[] {
  // The fence stands before there is somebody in it.
  return [namespaceOf(identity, spec), networkPolicyOf(identity, spec.network, service), deploymentOf(identity, spec, options), service];
}

function namespaceOf(identity: PodIdentity, { level }: PodSpec): object {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name: identity.namespace,
      // The caller's labels stay away from here: admission policies select namespaces by label.
      labels: { ...labelsOf(identity), ...levelLabels(level) },
      annotations: annotationsOf(identity),
    },
  };
}

/** The Deployment alone: what a running one is compared with. */
export function deploymentOf(identity: PodIdentity, spec: PodSpec, options: StartOptions): object {
  const labels = { ...spec.labels, ...labelsOf(identity) };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      ...options.metadata,
      name: identity.deployment,
      namespace: identity.namespace,
      labels,
      annotations: { ...options.metadata?.annotations, ...annotationsOf(identity) },
    },
    spec: {
      replicas: 1,
      revisionHistoryLimit: 0,
      strategy: { type: "Recreate" },
      minReadySeconds,
      progressDeadlineSeconds: options.progressDeadlineSeconds,
      selector: { matchLabels: { [label.pod]: identity.hash } },
      template: {
        metadata: { labels, annotations: { ...annotationsOf(identity), [annotation.start]: options.start } },
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 5,
          securityContext: podSecurity(spec.user ?? DEFAULT_USER, spec.level),
          ...schedulingOf(spec),
          containers: [containerOf(spec)],
          volumes: [
            { name: "workspace", emptyDir: { sizeLimit: spec.storage ?? DEFAULT_STORAGE } },
            { name: "podq", emptyDir: { sizeLimit: spec.journal ?? DEFAULT_JOURNAL } },
          ],
        },
      },
    },
  };
}

function containerOf(spec: PodSpec): object {
  const { memory, cpu, memoryRequests, cpuRequests } = spec.resources;
  return {
    name: containerName,
    image: spec.image,
    imagePullPolicy: "IfNotPresent",
    ...(spec.command === "image" ? {} : { command: (spec.command ?? idleCommand).map(literal) }),
    env: Object.entries(spec.env ?? {}).map(([name, value]) => ({ name, value: literal(value) })),
    workingDir: "/workspace",
    ports: [{ name: "http", containerPort: PORT }],
    ...probesOf(spec.probes),
    resources: { limits: { memory, cpu }, requests: { memory: memoryRequests, cpu: cpuRequests } },
    securityContext: containerSecurity(spec.level),
    volumeMounts: [
      { name: "workspace", mountPath: "/workspace" },
      { name: "podq", mountPath: "/podq" },
    ],
  };
}
