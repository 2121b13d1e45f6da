/** A JSON object whose shape is not known here. */
export type JsonMap = { [key: string]: unknown };

type OwnerReference = {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
};

/** Who owns which fields of an object, as server-side apply records it. */
export type FieldsOwner = {
  manager: string;
  operation: "Apply" | "Update";
  apiVersion: string;
  time: string;
  fieldsType: "FieldsV1";
  fieldsV1: JsonMap;
};

type Metadata = {
  name: string;
  generateName?: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: FieldsOwner[];
};

/** Any Kubernetes object. */
export type KubeObject = { apiVersion: string; kind: string; metadata: Metadata; spec?: JsonMap; status?: JsonMap; [key: string]: unknown };

export type Condition = {
  type: string;
  status: "True" | "False" | "Unknown";
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  lastUpdateTime?: string;
  lastProbeTime?: null;
  observedGeneration?: number;
};

export type EnvVar = {
  name: string;
  value?: string;
  valueFrom?: {
    secretKeyRef?: { name: string; key: string; optional?: boolean };
    configMapKeyRef?: { name: string; key: string; optional?: boolean };
  };
};

export type Probe = {
  exec?: { command?: string[] };
  httpGet?: { path?: string; port: number | string; scheme?: string; host?: string };
  tcpSocket?: { port: number | string; host?: string };
  initialDelaySeconds?: number;
  periodSeconds?: number;
  timeoutSeconds?: number;
  successThreshold?: number;
  failureThreshold?: number;
};

export type Container = {
  name: string;
  image: string;
  imagePullPolicy?: string;
  command?: string[];
  args?: string[];
  workingDir?: string;
  env?: EnvVar[];
  resources?: { limits?: Record<string, string>; requests?: Record<string, string> };
  ports?: { name?: string; containerPort: number; protocol?: string }[];
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean; subPath?: string }[];
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  startupProbe?: Probe;
  securityContext?: {
    runAsUser?: number;
    runAsGroup?: number;
    runAsNonRoot?: boolean;
    readOnlyRootFilesystem?: boolean;
    allowPrivilegeEscalation?: boolean;
    privileged?: boolean;
    capabilities?: { drop?: string[]; add?: string[] };
    seccompProfile?: { type?: string };
  };
};

type Volume = {
  name: string;
  emptyDir?: { sizeLimit?: string };
  configMap?: { name: string; optional?: boolean };
  secret?: { secretName: string; optional?: boolean };
  persistentVolumeClaim?: { claimName: string };
};

export type PodSpec = {
  containers: Container[];
  volumes?: Volume[];
  nodeName?: string;
  runtimeClassName?: string;
  nodeSelector?: Record<string, string>;
  restartPolicy?: string;
  terminationGracePeriodSeconds?: number;
  securityContext?: {
    runAsUser?: number;
    runAsGroup?: number;
    runAsNonRoot?: boolean;
    fsGroup?: number;
    seccompProfile?: { type?: string };
  };
};

export type Terminated = {
  exitCode: number;
  signal?: number;
  reason: string;
  message?: string;
  startedAt: string | null;
  finishedAt: string | null;
  containerID?: string;
};
export type ContainerState = { waiting?: { reason: string; message?: string }; running?: { startedAt: string }; terminated?: Terminated };

export type ContainerStatus = {
  name: string;
  image: string;
  imageID: string;
  containerID?: string;
  ready: boolean;
  started: boolean;
  restartCount: number;
  state: ContainerState;
  lastState: ContainerState;
};

export type PodStatus = {
  phase: "Pending" | "Running" | "Succeeded" | "Failed";
  reason?: string;
  message?: string;
  conditions?: Condition[];
  containerStatuses?: ContainerStatus[];
  hostIP?: string;
  podIP?: string;
  startTime?: string;
};

export type LabelSelector = {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
};
export type PodTemplate = { metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }; spec: PodSpec };

export type Pod = KubeObject & { spec: PodSpec; status: PodStatus };
export type ReplicaSet = KubeObject & {
  spec: { replicas: number; minReadySeconds?: number; selector: LabelSelector; template: PodTemplate };
  status: { replicas: number; readyReplicas?: number; availableReplicas?: number; observedGeneration?: number; conditions?: Condition[] };
};
export type Deployment = KubeObject & {
  spec: {
    replicas: number;
    minReadySeconds?: number;
    progressDeadlineSeconds: number;
    revisionHistoryLimit: number;
    selector: LabelSelector;
    strategy: { type: string };
    template: PodTemplate;
  };
  status: {
    conditions?: Condition[];
    observedGeneration?: number;
    replicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    updatedReplicas?: number;
  };
};
export type Claim = KubeObject & {
  spec: { accessModes?: string[]; storageClassName?: string; volumeName?: string; resources?: { requests?: Record<string, string> } };
  status: { phase?: "Pending" | "Bound" | "Lost"; capacity?: Record<string, string> };
};
export type StorageClass = KubeObject & {
  provisioner: string;
  reclaimPolicy?: string;
  volumeBindingMode?: string;
  allowVolumeExpansion?: boolean;
};
export type ServicePort = { name?: string; port: number; protocol?: string; targetPort?: number | string; nodePort?: number };
export type Service = KubeObject & { spec: { type: string; ports: ServicePort[]; selector?: Record<string, string>; clusterIP?: string } };
export type Namespace = KubeObject & {
  spec: { finalizers?: string[] };
  status: { phase: "Active" | "Terminating"; conditions?: Condition[] };
};

/** Whether a value is a JSON object. */
export function isMap(value: unknown): value is JsonMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value has what every object of the API needs; its `metadata` may lack what the server fills in. */
export function isObject(value: unknown): value is KubeObject {
  return isMap(value) && typeof value.kind === "string" && typeof value.apiVersion === "string" && isMap(value.metadata);
}

/** A time as Kubernetes writes it: UTC, whole seconds. */
export function timestamp(date = new Date()): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

/** The condition of a type, if there is one. */
export function condition(list: readonly Condition[] | undefined, type: string): Condition | undefined {
  return list?.find((one) => one.type === type);
}

/** The list with one condition put in place; its transition time is kept while its status is. */
export function withCondition(list: readonly Condition[] | undefined, next: Condition): Condition[] {
  const old = condition(list, next.type);
  const since = old?.status === next.status && old.lastTransitionTime ? old.lastTransitionTime : timestamp();
  const merged = { ...next, lastTransitionTime: since };
  return old ? (list ?? []).map((one) => (one.type === next.type ? merged : one)) : [...(list ?? []), merged];
}
