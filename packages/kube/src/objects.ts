// The fields that are read of Kubernetes' objects, in Kubernetes' words. Everything that the API server may leave out is
// optional here, so that a reader has to say what its absence means.

import type { ContainerProbes } from "./probes.ts";

/** metadata of any object. */
type Metadata = {
  name: string;
  namespace?: string;
  uid: string;
  generation?: number;
  resourceVersion?: string;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
};

/** One entry of status.conditions. */
export type Condition = { type: string; status: string; reason?: string; message?: string };

/** A v1 Namespace. */
export type Namespace = { kind?: "Namespace"; metadata: Metadata; status?: { phase?: string; conditions?: Condition[] } };

type Container = {
  name: string;
  image: string;
  command?: string[];
  env?: { name: string; value?: string }[];
  securityContext?: { allowPrivilegeEscalation?: boolean };
  resources?: { limits?: Record<string, string>; requests?: Record<string, string> };
} & ContainerProbes;

/** The template of a pod, or a pod's own spec. */
type PodTemplateSpec = {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: {
    containers: Container[];
    securityContext?: { runAsUser?: number };
    runtimeClassName?: string;
    nodeSelector?: Record<string, string>;
    tolerations?: { key?: string; operator?: string; value?: string; effect?: string; tolerationSeconds?: number }[];
    volumes?: { name: string; emptyDir?: { sizeLimit?: string } }[];
  };
};

/** An apps/v1 Deployment. */
export type Deployment = {
  kind?: "Deployment";
  metadata: Metadata;
  spec: { replicas?: number; template: PodTemplateSpec };
  status?: { observedGeneration?: number; availableReplicas?: number; updatedReplicas?: number; conditions?: Condition[] };
};

/** What became of a container that ended. */
export type Terminated = {
  exitCode: number;
  reason?: string;
  message?: string;
  signal?: number;
  startedAt?: string | null;
  finishedAt?: string | null;
};

/** One entry of a pod's containerStatuses. */
export type ContainerStatus = {
  name: string;
  ready?: boolean;
  restartCount?: number;
  containerID?: string;
  state?: { waiting?: { reason?: string; message?: string }; running?: { startedAt?: string }; terminated?: Terminated };
  lastState?: { terminated?: Terminated };
};

/** A v1 Pod. */
export type Pod = {
  kind?: "Pod";
  metadata: Metadata;
  spec?: { nodeName?: string };
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    hostIP?: string;
    conditions?: Condition[];
    containerStatuses?: ContainerStatus[];
  };
};

/** A v1 Service. */
export type Service = {
  kind?: "Service";
  metadata: Metadata;
  spec: {
    type?: string;
    selector?: Record<string, string>;
    ports?: { name?: string; port: number; targetPort?: number | string; protocol?: "TCP" | "UDP"; nodePort?: number }[];
  };
};

type Selector = { matchLabels: Record<string, string> };
/** Whom a rule of a NetworkPolicy names. */
export type PolicyPeer = { ipBlock?: { cidr: string; except?: string[] }; namespaceSelector?: Selector; podSelector?: Selector };
/** At which port. */
export type PolicyPort = { protocol: string; port: number | string };
/** Nobody named is everybody, and no port named all of them. */
export type PolicyRule = { from?: PolicyPeer[]; to?: PolicyPeer[]; ports?: PolicyPort[] };

/** A networking.k8s.io/v1 NetworkPolicy. */
export type NetworkPolicy = {
  apiVersion?: string;
  kind?: "NetworkPolicy";
  metadata: Metadata;
  spec: { podSelector: object; policyTypes: string[]; ingress?: PolicyRule[]; egress?: PolicyRule[] };
};

/** A networking.k8s.io/v1 Ingress. */
export type Ingress = { kind?: "Ingress"; metadata: Metadata; spec?: object };

/** A v1 Event, as far as it is quoted. */
export type KubeEvent = {
  involvedObject?: { uid?: string };
  type?: string;
  reason?: string;
  message?: string;
  lastTimestamp?: string;
  eventTime?: string;
};

/** What can stand in a list of a pod's objects. */
export type KubeObject = Namespace | Deployment | Pod | Service | NetworkPolicy;
