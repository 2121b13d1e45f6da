import { KubeError } from "./errors.ts";
import type { Bounds, Kubectl } from "./kubectl.ts";

/** What there is on the host and the cluster behind it. */
export type ClusterCheck = {
  /** Versions of kubectl and of the API server. */
  kubectl: string;
  server: string;
  /** Rights of rbac.yaml that this user lacks, as `verb resource`; null: the cluster does not say. */
  missing: string[] | null;
};

type Right = { group: string; resource: string; subresource?: string; verbs: readonly string[]; of?: "ingress" };

/** What rbac.yaml grants: the least that podq needs, some of it only for what an installation may do without. */
export const rights: readonly Right[] = [
  { group: "", resource: "namespaces", verbs: ["get", "list", "watch", "create", "patch", "delete"] },
  { group: "apps", resource: "deployments", verbs: ["list", "watch", "create", "patch", "delete"] },
  { group: "", resource: "services", verbs: ["list", "create", "patch"] },
  { group: "networking.k8s.io", resource: "ingresses", verbs: ["get", "create", "patch", "delete"], of: "ingress" },
  { group: "networking.k8s.io", resource: "networkpolicies", verbs: ["get", "list", "create", "patch"] },
  { group: "", resource: "pods", verbs: ["get", "list", "watch"] },
  { group: "", resource: "pods", subresource: "exec", verbs: ["get", "create"] },
  { group: "", resource: "events", verbs: ["list"] },
];

const reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const atOnce = 4;

/** Asks what a worker would meet. Throws KubeError with what keeps it from asking. */
export async function checkCluster(kubectl: Kubectl, bounds: Bounds, ingress: boolean): Promise<ClusterCheck> {
  const version = await kubectl.json<{ clientVersion: Version; serverVersion: Version }>(["version", "-o", "json"], bounds);
  const needed = rights.filter((right) => right.of === undefined || ingress);
  const asked = needed.flatMap(({ verbs, of: _of, ...right }) => verbs.map((verb) => ({ ...right, verb })));
  const missing: string[] = [];
  const ask = async (): Promise<void> => {
    for (let next = asked.shift(); next; next = asked.shift()) {
      const spec = { resourceAttributes: next };
      const review = JSON.stringify({ apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec });
      const { status } = await kubectl.json<{ status: { allowed: boolean } }>(["create", "--raw", reviews, "-f", "-"], bounds, review);
      const { verb, resource, subresource } = next;
      if (!status.allowed) missing.push(`${verb} ${resource}${subresource === undefined ? "" : `/${subresource}`}`);
    }
  };
  const versions = { kubectl: version.clientVersion.gitVersion, server: version.serverVersion.gitVersion };
  try {
    await Promise.all(Array.from({ length: atOnce }, ask));
  } catch (error) {
    if (error instanceof KubeError && /NotFound|could not find the requested resource/i.test(error.message))
      return { ...versions, missing: null };
    throw error;
  }
  return { ...versions, missing };
}

type Version = { gitVersion: string };
