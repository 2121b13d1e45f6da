// How each part of an object is merged and owned. Written as data, because apply, patch and validation all read it.

/** `of` says what the values of a map are, `fields` what a struct has, `keys` what identifies an item of a list. */
export type Schema =
  | { type: "string" | "number" | "boolean" | "quantity" | "any" }
  | { type: "atomic" }
  | { type: "set" }
  | { type: "map"; of: Schema }
  | { type: "struct"; fields: Record<string, Schema> }
  | { type: "list"; keys: readonly string[]; defaults: Record<string, unknown>; item: Schema };

const string: Schema = { type: "string" };
const number: Schema = { type: "number" };
const boolean: Schema = { type: "boolean" };
/** A list or map that one owner has as a whole. */
const atomic: Schema = { type: "atomic" };
/** A number or a string: `targetPort`, quantities. */
const any: Schema = { type: "any" };
const quantity: Schema = { type: "quantity" };
const set: Schema = { type: "set" };
const map = (of: Schema): Schema => ({ type: "map", of });
const struct = (fields: Record<string, Schema>): Schema => ({ type: "struct", fields });
const list = (keys: readonly string[], fields: Record<string, Schema>, defaults: Record<string, unknown> = {}): Schema => ({
  type: "list",
  keys,
  defaults,
  item: struct(fields),
});

const METADATA: Record<string, Schema> = {
  name: string,
  generateName: string,
  namespace: string,
  uid: string,
  resourceVersion: string,
  generation: number,
  creationTimestamp: string,
  deletionTimestamp: string,
  deletionGracePeriodSeconds: number,
  selfLink: string,
  labels: map(string),
  annotations: map(string),
  finalizers: set,
  ownerReferences: list(["uid"], {
    apiVersion: string,
    kind: string,
    name: string,
    uid: string,
    controller: boolean,
    blockOwnerDeletion: boolean,
  }),
  managedFields: atomic,
};

const PROBE = struct({
  exec: struct({ command: atomic }),
  httpGet: struct({ host: string, path: string, port: any, scheme: string, httpHeaders: atomic }),
  tcpSocket: struct({ host: string, port: any }),
  grpc: struct({ port: number, service: string }),
  failureThreshold: number,
  initialDelaySeconds: number,
  periodSeconds: number,
  successThreshold: number,
  terminationGracePeriodSeconds: number,
  timeoutSeconds: number,
});

const SECCOMP = struct({ type: string, localhostProfile: string });

const CONTAINER: Record<string, Schema> = {
  name: string,
  image: string,
  imagePullPolicy: string,
  command: atomic,
  args: atomic,
  workingDir: string,
  env: list(["name"], { name: string, value: string, valueFrom: atomic }),
  envFrom: atomic,
  ports: list(
    ["containerPort", "protocol"],
    { name: string, containerPort: number, protocol: string, hostPort: number, hostIP: string },
    { protocol: "TCP" },
  ),
  resources: struct({ limits: map(quantity), requests: map(quantity), claims: atomic }),
  volumeMounts: list(["mountPath"], {
    name: string,
    mountPath: string,
    readOnly: boolean,
    recursiveReadOnly: string,
    subPath: string,
    subPathExpr: string,
    mountPropagation: string,
  }),
  volumeDevices: atomic,
  securityContext: struct({
    runAsUser: number,
    runAsGroup: number,
    runAsNonRoot: boolean,
    readOnlyRootFilesystem: boolean,
    allowPrivilegeEscalation: boolean,
    privileged: boolean,
    procMount: string,
    capabilities: struct({ add: atomic, drop: atomic }),
    seccompProfile: SECCOMP,
    seLinuxOptions: atomic,
    appArmorProfile: atomic,
  }),
  livenessProbe: PROBE,
  readinessProbe: PROBE,
  startupProbe: PROBE,
  lifecycle: atomic,
  resizePolicy: atomic,
  restartPolicy: string,
  terminationMessagePath: string,
  terminationMessagePolicy: string,
  stdin: boolean,
  stdinOnce: boolean,
  tty: boolean,
};

const VOLUME: Record<string, Schema> = {
  name: string,
  emptyDir: struct({ medium: string, sizeLimit: quantity }),
  configMap: struct({ name: string, optional: boolean, defaultMode: number, items: atomic }),
  secret: struct({ secretName: string, optional: boolean, defaultMode: number, items: atomic }),
  persistentVolumeClaim: struct({ claimName: string, readOnly: boolean }),
  hostPath: struct({ path: string, type: string }),
  projected: atomic,
  downwardAPI: atomic,
  csi: atomic,
  ephemeral: atomic,
};

const POD_SPEC = struct({
  containers: list(["name"], CONTAINER),
  initContainers: list(["name"], CONTAINER),
  volumes: list(["name"], VOLUME),
  activeDeadlineSeconds: number,
  affinity: atomic,
  automountServiceAccountToken: boolean,
  dnsConfig: atomic,
  dnsPolicy: string,
  enableServiceLinks: boolean,
  hostAliases: atomic,
  hostIPC: boolean,
  hostNetwork: boolean,
  hostPID: boolean,
  hostUsers: boolean,
  hostname: string,
  imagePullSecrets: list(["name"], { name: string }),
  nodeName: string,
  nodeSelector: atomic,
  os: struct({ name: string }),
  preemptionPolicy: string,
  priority: number,
  priorityClassName: string,
  restartPolicy: string,
  runtimeClassName: string,
  schedulerName: string,
  securityContext: struct({
    runAsUser: number,
    runAsGroup: number,
    runAsNonRoot: boolean,
    fsGroup: number,
    fsGroupChangePolicy: string,
    supplementalGroups: atomic,
    seccompProfile: SECCOMP,
    seLinuxOptions: atomic,
    sysctls: atomic,
  }),
  serviceAccount: string,
  serviceAccountName: string,
  setHostnameAsFQDN: boolean,
  shareProcessNamespace: boolean,
  subdomain: string,
  terminationGracePeriodSeconds: number,
  tolerations: atomic,
  topologySpreadConstraints: atomic,
});

const TEMPLATE = struct({ metadata: struct(METADATA), spec: POD_SPEC });

const SPECS: Record<string, Schema> = {
  Namespace: struct({ finalizers: atomic }),
  Pod: POD_SPEC,
  Deployment: struct({
    replicas: number,
    minReadySeconds: number,
    paused: boolean,
    progressDeadlineSeconds: number,
    revisionHistoryLimit: number,
    selector: atomic,
    strategy: struct({ type: string, rollingUpdate: struct({ maxSurge: any, maxUnavailable: any }) }),
    template: TEMPLATE,
  }),
  ReplicaSet: struct({ replicas: number, minReadySeconds: number, selector: atomic, template: TEMPLATE }),
  Service: struct({
    type: string,
    selector: atomic,
    ports: list(
      ["port", "protocol"],
      { name: string, port: number, protocol: string, targetPort: any, nodePort: number, appProtocol: string },
      { protocol: "TCP" },
    ),
    clusterIP: string,
    clusterIPs: atomic,
    externalIPs: atomic,
    externalName: string,
    externalTrafficPolicy: string,
    healthCheckNodePort: number,
    internalTrafficPolicy: string,
    ipFamilies: atomic,
    ipFamilyPolicy: string,
    loadBalancerClass: string,
    loadBalancerSourceRanges: atomic,
    publishNotReadyAddresses: boolean,
    sessionAffinity: string,
    sessionAffinityConfig: atomic,
    trafficDistribution: string,
  }),
  ResourceQuota: struct({ hard: map(quantity), scopes: atomic, scopeSelector: atomic }),
  LimitRange: struct({ limits: atomic }),
  Ingress: struct({ ingressClassName: string, defaultBackend: atomic, tls: atomic, rules: atomic }),
  PersistentVolumeClaim: struct({
    accessModes: atomic,
    dataSource: atomic,
    dataSourceRef: atomic,
    resources: struct({ limits: map(quantity), requests: map(quantity) }),
    selector: atomic,
    storageClassName: string,
    volumeMode: string,
    volumeName: string,
  }),
  NetworkPolicy: struct({ podSelector: atomic, policyTypes: atomic, ingress: atomic, egress: atomic }),
};

const OTHERS: Record<string, Record<string, Schema>> = {
  ConfigMap: { data: map(string), binaryData: map(string), immutable: boolean },
  Secret: { data: map(string), stringData: map(string), type: string, immutable: boolean },
  ClusterRole: { rules: atomic, aggregationRule: atomic },
  ClusterRoleBinding: { subjects: atomic, roleRef: atomic },
  Role: { rules: atomic },
  RuntimeClass: { handler: string, overhead: atomic, scheduling: atomic },
  RoleBinding: { subjects: atomic, roleRef: atomic },
  StorageClass: {
    provisioner: string,
    parameters: map(string),
    reclaimPolicy: string,
    volumeBindingMode: string,
    allowVolumeExpansion: boolean,
    mountOptions: atomic,
    allowedTopologies: atomic,
  },
  ServiceAccount: { automountServiceAccountToken: boolean, secrets: atomic, imagePullSecrets: atomic },
};

/** The schema of a kind. What is not known in depth is one atomic whole. */
export function schemaOf(kind: string): Schema {
  const spec = SPECS[kind];
  const own = OTHERS[kind] ?? { spec: spec ?? atomic };
  return struct({ apiVersion: string, kind: string, metadata: struct(METADATA), status: atomic, ...own });
}
