// The fields that are read of Kubernetes' objects, in Kubernetes' words. Everything that the API server may leave out is
// optional here, so that a reader has to say what its absence means.

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
};

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
export type Terminated = { exitCode: number; reason?: string; message?: string; signal?: number };

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
  spec: { type?: string; ports?: { name?: string; port: number; protocol?: "TCP" | "UDP"; nodePort?: number }[] };
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
export type KubeObject = Namespace | Deployment | Pod | Service;
