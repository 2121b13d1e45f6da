import { isMap } from "./object.ts";
import type { JsonMap, KubeObject } from "./object.ts";

const POD_SPEC: JsonMap = {
  dnsPolicy: "ClusterFirst",
  restartPolicy: "Always",
  schedulerName: "default-scheduler",
  terminationGracePeriodSeconds: 30,
};
const CONTAINER: JsonMap = { terminationMessagePath: "/dev/termination-log", terminationMessagePolicy: "File" };
const PROBE: JsonMap = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 };
const SPECS: Record<string, JsonMap> = {
  Deployment: { progressDeadlineSeconds: 600, replicas: 1, revisionHistoryLimit: 10 },
  PersistentVolumeClaim: { volumeMode: "Filesystem" },
  ReplicaSet: { replicas: 1 },
  Service: {
    internalTrafficPolicy: "Cluster",
    ipFamilies: ["IPv4"],
    ipFamilyPolicy: "SingleStack",
    sessionAffinity: "None",
    type: "ClusterIP",
  },
};

/** Fills in what the API server fills in where a caller left it out. Changes `object`. */
export function setDefaults(object: KubeObject): void {
  const spec = object.spec ?? {};
  const own = SPECS[object.kind];
  if (own) object.spec = Object.assign(spec, { ...own, ...spec });
  if (object.kind === "Pod") defaultPodSpec(spec);
  if (object.kind === "StorageClass") {
    object.reclaimPolicy ??= "Delete";
    object.volumeBindingMode ??= "Immediate";
  }
  if (object.kind === "Deployment") {
    spec.strategy ??= {};
    if (isMap(spec.strategy)) defaultStrategy(spec.strategy);
  }
  if (isMap(spec.template)) {
    spec.template.spec ??= {};
    if (isMap(spec.template.spec)) defaultPodSpec(spec.template.spec);
  }
  if (object.kind === "Service") defaultService(spec);
  if (object.kind === "NetworkPolicy") defaultPolicy(spec);
}

function defaultStrategy(strategy: JsonMap): void {
  strategy.type ??= "RollingUpdate";
  if (strategy.type === "RollingUpdate") strategy.rollingUpdate ??= { maxSurge: "25%", maxUnavailable: "25%" };
}

function defaultPodSpec(spec: JsonMap): void {
  Object.assign(spec, { ...POD_SPEC, ...spec });
  spec.securityContext ??= {};
  for (const container of maps(spec.containers)) {
    Object.assign(container, { ...CONTAINER, ...container });
    container.imagePullPolicy ??= pullPolicy(typeof container.image === "string" ? container.image : "");
    container.resources ??= {};
    for (const port of maps(container.ports)) port.protocol ??= "TCP";
    if (isMap(container.resources)) defaultRequests(container.resources);
    for (const name of ["livenessProbe", "readinessProbe", "startupProbe"]) if (isMap(container[name])) defaultProbe(container[name]);
  }
  for (const volume of maps(spec.volumes)) {
    for (const kind of ["configMap", "secret"]) {
      const source = volume[kind];
      if (isMap(source)) source.defaultMode ??= 420;
    }
  }
}

function defaultProbe(probe: JsonMap): void {
  Object.assign(probe, { ...PROBE, ...probe });
  if (isMap(probe.httpGet)) Object.assign(probe.httpGet, { path: "/", scheme: "HTTP", ...probe.httpGet });
}

// A limit without a request is its own request.
function defaultRequests(resources: JsonMap): void {
  if (isMap(resources.limits)) resources.requests = { ...resources.limits, ...(isMap(resources.requests) ? resources.requests : {}) };
}

function pullPolicy(image: string): string {
  const tag = /:([^:/@]+)$/.exec(image)?.[1];
  return image.includes("@") || (tag && tag !== "latest") ? "IfNotPresent" : "Always";
}

function defaultService(spec: JsonMap): void {
  if (spec.type === "NodePort" || spec.type === "LoadBalancer") spec.externalTrafficPolicy ??= "Cluster";
  for (const port of maps(spec.ports)) {
    port.protocol ??= "TCP";
    port.targetPort ??= port.port;
  }
}

function defaultPolicy(spec: JsonMap): void {
  spec.policyTypes ??= ["Ingress", ...(Array.isArray(spec.egress) && spec.egress.length > 0 ? ["Egress"] : [])];
  for (const rule of [...maps(spec.ingress), ...maps(spec.egress)]) for (const port of maps(rule.ports)) port.protocol ??= "TCP";
  for (const rules of ["ingress", "egress"]) if (Array.isArray(spec[rules]) && spec[rules].length === 0) delete spec[rules];
}

const maps = (value: unknown): JsonMap[] => (Array.isArray(value) ? value.filter(isMap) : []);
