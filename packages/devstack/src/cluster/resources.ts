/** A kind of object that the API serves. */
export type Resource = {
  group: string;
  version: string;
  plural: string;
  singular: string;
  kind: string;
  namespaced: boolean;
  shortNames: readonly string[];
  categories: readonly string[];
  subresources: readonly { name: string; kind: string; group?: string; version?: string; verbs: readonly string[] }[];
};

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"] as const;

function resource(group: string, kind: string, plural: string, options: Partial<Resource> = {}): Resource {
  const rest = { namespaced: true, shortNames: [], categories: [], subresources: [] };
  return { group, version: "v1", plural, singular: kind.toLowerCase(), kind, ...rest, ...options };
}

const status = (kind: string): Resource["subresources"][number] => ({ name: "status", kind, verbs: ["get", "patch", "update"] });
const scale = { name: "scale", kind: "Scale", group: "autoscaling", version: "v1", verbs: ["get", "patch", "update"] } as const;
const exec = { name: "exec", kind: "PodExecOptions", verbs: ["create", "get"] } as const;
const log = { name: "log", kind: "Pod", verbs: ["get"] } as const;

/** Everything that the embedded cluster knows, in the order of its discovery documents. */
export const RESOURCES: readonly Resource[] = [
  resource("", "ConfigMap", "configmaps", { shortNames: ["cm"] }),
  resource("", "Event", "events", { shortNames: ["ev"] }),
  resource("", "LimitRange", "limitranges", { shortNames: ["limits"] }),
  resource("", "Namespace", "namespaces", { namespaced: false, shortNames: ["ns"], subresources: [status("Namespace")] }),
  resource("", "Node", "nodes", { namespaced: false, shortNames: ["no"], subresources: [status("Node")] }),
  resource("", "PersistentVolume", "persistentvolumes", {
    namespaced: false,
    shortNames: ["pv"],
    subresources: [status("PersistentVolume")],
  }),
  resource("", "PersistentVolumeClaim", "persistentvolumeclaims", {
    shortNames: ["pvc"],
    subresources: [status("PersistentVolumeClaim")],
  }),
  resource("", "Pod", "pods", { shortNames: ["po"], categories: ["all"], subresources: [status("Pod"), exec, log] }),
  resource("", "ResourceQuota", "resourcequotas", { shortNames: ["quota"] }),
  resource("", "Secret", "secrets"),
  resource("", "ServiceAccount", "serviceaccounts", { shortNames: ["sa"] }),
  resource("", "Service", "services", { shortNames: ["svc"], categories: ["all"], subresources: [status("Service")] }),
  resource("apps", "Deployment", "deployments", {
    shortNames: ["deploy"],
    categories: ["all"],
    subresources: [status("Deployment"), scale],
  }),
  resource("apps", "ReplicaSet", "replicasets", { shortNames: ["rs"], categories: ["all"], subresources: [status("ReplicaSet"), scale] }),
  ...["ClusterRole", "ClusterRoleBinding"].map((kind) =>
    resource("rbac.authorization.k8s.io", kind, `${kind.toLowerCase()}s`, { namespaced: false }),
  ),
  ...["Role", "RoleBinding"].map((kind) => resource("rbac.authorization.k8s.io", kind, `${kind.toLowerCase()}s`)),
  resource("networking.k8s.io", "Ingress", "ingresses", { shortNames: ["ing"], subresources: [status("Ingress")] }),
  resource("storage.k8s.io", "StorageClass", "storageclasses", { namespaced: false, shortNames: ["sc"] }),
  resource("networking.k8s.io", "NetworkPolicy", "networkpolicies", { shortNames: ["netpol"] }),
  resource("node.k8s.io", "RuntimeClass", "runtimeclasses", { namespaced: false }),
];

/** The `apiVersion` of a resource's objects. */
export const apiVersion = ({ group, version }: Resource): string => (group ? `${group}/${version}` : version);

const namedKind = ({ group, version, kind }: { group: string; version: string; kind: string }): object => ({ group, version, kind });

/** The aggregated discovery document of the core group (`/api`) or of all others (`/apis`). */
export function aggregatedDiscovery(core: boolean): object {
  const items = groups(core).map((group) => ({
    metadata: group ? { name: group } : {},
    versions: [{ version: "v1", resources: RESOURCES.filter((one) => one.group === group).map(discovered), freshness: "Current" }],
  }));
  return { kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2", metadata: {}, items };
}

function discovered(one: Resource): object {
  return {
    resource: one.plural,
    responseKind: namedKind(one),
    scope: one.namespaced ? "Namespaced" : "Cluster",
    singularResource: one.singular,
    verbs: VERBS,
    shortNames: one.shortNames,
    categories: one.categories,
    subresources: one.subresources.map(({ name, verbs, kind, group = one.group, version = one.version }) => ({
      subresource: name,
      responseKind: { group, version, kind },
      verbs,
    })),
  };
}

/** The groups other than the core one, as `/apis` lists them for a client that wants no aggregated document. */
export function groupList(): object {
  const all = groups(false).map((name) => {
    const version = { groupVersion: `${name}/v1`, version: "v1" };
    return { name, versions: [version], preferredVersion: version };
  });
  return { kind: "APIGroupList", apiVersion: "v1", groups: all };
}

/** The resources of one group, as `/api/v1` or `/apis/GROUP/v1` lists them; undefined for a group that is not there. */
export function resourceList(group: string): object | undefined {
  const own = RESOURCES.filter((one) => one.group === group);
  if (own.length === 0) return undefined;
  const resources = own.flatMap((one) => [
    {
      name: one.plural,
      singularName: one.singular,
      namespaced: one.namespaced,
      kind: one.kind,
      verbs: VERBS,
      shortNames: one.shortNames,
      categories: one.categories,
    },
    ...one.subresources.map(({ name, kind, verbs }) => ({
      name: `${one.plural}/${name}`,
      singularName: "",
      namespaced: one.namespaced,
      kind,
      verbs,
    })),
  ]);
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion: group ? `${group}/v1` : "v1", resources };
}

function groups(core: boolean): string[] {
  return [...new Set(RESOURCES.map((one) => one.group))].filter((group) => (group === "") === core);
}
