import { condition, isMap } from "./object.ts";
import type { JsonMap, KubeObject } from "./object.ts";
import type { Resource } from "./resources.ts";
import { isPod } from "./validate.ts";

type Column = { name: string; of: (object: KubeObject) => string | number };

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const number = (value: unknown): number => (typeof value === "number" ? value : 0);
const spec = ({ spec: own }: KubeObject): JsonMap => own ?? {};
const status = ({ status: own }: KubeObject): JsonMap => own ?? {};

const COLUMNS: Record<string, readonly Column[]> = {
  pods: [
    { name: "Ready", of: readyCount },
    { name: "Status", of: podWord },
    { name: "Restarts", of: (pod) => (isPod(pod) ? (pod.status.containerStatuses?.[0]?.restartCount ?? 0) : 0) },
  ],
  deployments: [
    { name: "Ready", of: (one) => `${number(status(one).readyReplicas)}/${number(spec(one).replicas)}` },
    { name: "Up-to-date", of: (one) => number(status(one).updatedReplicas) },
    { name: "Available", of: (one) => number(status(one).availableReplicas) },
  ],
  replicasets: [
    { name: "Desired", of: (one) => number(spec(one).replicas) },
    { name: "Current", of: (one) => number(status(one).replicas) },
    { name: "Ready", of: (one) => number(status(one).readyReplicas) },
  ],
  namespaces: [{ name: "Status", of: (one) => text(status(one).phase) }],
  services: [
    { name: "Type", of: (one) => text(spec(one).type) },
    { name: "Cluster-IP", of: (one) => text(spec(one).clusterIP) },
    { name: "Port(s)", of: ports },
  ],
  persistentvolumeclaims: [
    { name: "Status", of: (one) => text(status(one).phase) },
    { name: "Volume", of: (one) => text(spec(one).volumeName) },
    { name: "StorageClass", of: (one) => text(spec(one).storageClassName) },
  ],
  persistentvolumes: [
    { name: "Status", of: (one) => text(status(one).phase) },
    { name: "StorageClass", of: (one) => text(spec(one).storageClassName) },
  ],
  storageclasses: [{ name: "Provisioner", of: (one) => text(one.provisioner) }],
  events: [
    { name: "Type", of: (one) => text(one.type) },
    { name: "Reason", of: (one) => text(one.reason) },
    { name: "Object", of: ({ involvedObject: of }) => (isMap(of) ? `${text(of.kind).toLowerCase()}/${text(of.name)}` : "") },
    { name: "Message", of: (one) => text(one.message) },
  ],
};

/** Objects as the table that kubectl prints for people. */
export function asTable({ plural }: Resource, objects: readonly KubeObject[], resourceVersion: string): object {
  const columns = COLUMNS[plural] ?? [];
  const names = ["Name", ...columns.map(({ name }) => name), "Age"];
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: { resourceVersion },
    columnDefinitions: names.map((name) => ({ name, type: "string", format: name === "Name" ? "name" : "", description: "", priority: 0 })),
    rows: objects.map((one) => ({
      cells: [one.metadata.name, ...columns.map(({ of }) => of(one)), age(one)],
      object: { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: one.metadata },
    })),
  };
}

function age({ metadata }: KubeObject): string {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(metadata.creationTimestamp)) / 1000));
  return seconds < 120 ? `${seconds}s` : `${Math.floor(seconds / 60)}m`;
}

function readyCount(pod: KubeObject): string {
  if (!isPod(pod)) return "";
  return `${pod.status.containerStatuses?.filter((one) => one.ready).length ?? 0}/${pod.spec.containers.length}`;
}

function podWord(pod: KubeObject): string {
  if (!isPod(pod)) return "";
  if (pod.metadata.deletionTimestamp !== undefined) return "Terminating";
  const state = pod.status.containerStatuses?.[0]?.state;
  const ready = condition(pod.status.conditions, "Ready")?.status === "True";
  return pod.status.reason ?? state?.waiting?.reason ?? (ready ? "Running" : (state?.terminated?.reason ?? pod.status.phase));
}

function ports(service: KubeObject): string {
  const list: unknown = spec(service).ports;
  const all = Array.isArray(list) ? list.filter(isMap) : [];
  return all
    .map(({ port, nodePort, protocol }) => `${number(port)}${nodePort === undefined ? "" : `:${number(nodePort)}`}/${text(protocol)}`)
    .join(",");
}
