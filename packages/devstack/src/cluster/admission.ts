import { ApiError, forbidden, notFound } from "./api-error.ts";
import { isMap } from "./object.ts";
import type { Claim, JsonMap, KubeObject, Pod, PodSpec } from "./object.ts";
import { quantityValue } from "./quantity.ts";
import { RESOURCES } from "./resources.ts";
import type { Resource } from "./resources.ts";
import type { Store } from "./store.ts";

/** Throws unless something new may be created in this namespace. */
export function admitNew(store: Store, resource: Resource, namespace: string, name: string): void {
  const found = store.namespaces.get(undefined, namespace);
  const namespaces = RESOURCES.find((one) => one.plural === "namespaces");
  if (!found) throw notFound(namespaces ?? resource, namespace);
  if (found.metadata.deletionTimestamp === undefined) return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const error = forbidden(resource, name, why);
  const causes = [{ reason: "NamespaceTerminating", message: `namespace ${namespace} is being terminated`, field: "metadata.namespace" }];
  if (isMap(error.status.details)) error.status.details.causes = causes;
  throw error;
}

/** Throws Forbidden, in the real words, if the namespace's quotas, limit ranges or Pod Security level refuse this pod. */
export function admitPod(store: Store, pod: Pod): void {
  const { namespace = "", name } = pod.metadata;
  const refuse = (why: string): ApiError => forbidden(podResource(), name, why);
  const why =
    overLimit(store, namespace, pod) ??
    overQuota(store, namespace) ??
    unknownRuntime(store, pod.spec) ??
    insecure(store, namespace, pod.spec)?.pods;
  if (why) throw refuse(why);
}

/** Completes a claim as the API server does: the default class, its status and what keeps it while it is used. Throws Forbidden at a quota, or if it may not grow. */
export function admitClaim(store: Store, claim: Claim, before: Claim | undefined): void {
  const { namespace = "", name } = claim.metadata;
  const refuse = (why: string): ApiError => forbidden(store.claims.resource, name, why);
  if (before) {
    const grows = quantityValue(claim.spec.resources?.requests?.storage) > quantityValue(before.spec.resources?.requests?.storage);
    if (grows && store.classes.get(undefined, before.spec.storageClassName ?? "")?.allowVolumeExpansion !== true)
      throw refuse("only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize");
    return;
  }
  const standard = store.classes.list().find((one) => one.metadata.annotations?.["storageclass.kubernetes.io/is-default-class"] === "true");
  if (claim.spec.storageClassName === undefined && standard) claim.spec.storageClassName = standard.metadata.name;
  claim.metadata.finalizers = ["kubernetes.io/pvc-protection"];
  claim.status = { phase: "Pending" };
  const over = overStorage(store, namespace, claim);
  if (over) throw refuse(over);
}

function overStorage(store: Store, namespace: string, claim: Claim): string | undefined {
  const all = store.claims.list(namespace);
  for (const quota of listOf(store, "resourcequotas", namespace)) {
    const hard = isMap(quota.spec?.hard) ? quota.spec.hard["requests.storage"] : undefined;
    const used = all.reduce((sum, one) => sum + quantityValue(storageOf(one)), 0);
    if (typeof hard !== "string" || used + quantityValue(storageOf(claim)) <= quantityValue(hard)) continue;
    const asked = `requests.storage=${storageOf(claim)}`;
    return `exceeded quota: ${quota.metadata.name}, requested: ${asked}, used: requests.storage=${used}, limited: requests.storage=${hard}`;
  }
  return undefined;
}

const storageOf = (one: Claim): string => one.spec.resources?.requests?.storage ?? "0";

const podResource = (): Resource => {
  const found = RESOURCES.find((one) => one.plural === "pods");
  if (!found) throw new TypeError("no pods");
  return found;
};

function overQuota(store: Store, namespace: string): string | undefined {
  for (const quota of listOf(store, "resourcequotas", namespace)) {
    const hard = isMap(quota.spec?.hard) ? quota.spec.hard.pods : undefined;
    if (hard === undefined) continue;
    const used = store.pods.list(namespace).filter((pod) => pod.status.phase === "Pending" || pod.status.phase === "Running").length;
    if (used + 1 > Number(hard))
      return `exceeded quota: ${quota.metadata.name}, requested: pods=1, used: pods=${used}, limited: pods=${Number(hard)}`;
  }
  return undefined;
}

function unknownRuntime(store: Store, { runtimeClassName }: PodSpec): string | undefined {
  if (runtimeClassName === undefined || store.collections.get("node.k8s.io/runtimeclasses")?.get(undefined, runtimeClassName))
    return undefined;
  return `pod rejected: RuntimeClass "${runtimeClassName}" not found`;
}

function overLimit(store: Store, namespace: string, pod: Pod): string | undefined {
  for (const range of listOf(store, "limitranges", namespace)) {
    const items: unknown = range.spec?.limits;
    for (const item of Array.isArray(items) ? items.filter(isMap) : []) {
      const max: JsonMap = isMap(item.max) ? item.max : {};
      for (const [name, most] of Object.entries(max)) {
        const over = pod.spec.containers.find((one) => quantityValue(one.resources?.limits?.[name]) > quantityValue(String(most)));
        if (over)
          return `maximum ${name} usage per ${String(item.type)} is ${String(most)}, but limit is ${over.resources?.limits?.[name]}`;
      }
    }
  }
  return undefined;
}

/** What Pod Security says of a pod in this namespace: words for pods, and the warning that a Deployment gets. */
export function insecure(store: Store, namespace: string, spec: PodSpec): { pods: string; warning: string } | undefined {
  const labels = store.namespaces.get(undefined, namespace)?.metadata.labels ?? {};
  if (labels["pod-security.kubernetes.io/enforce"] !== "restricted") return undefined;
  const version = labels["pod-security.kubernetes.io/enforce-version"] ?? "latest";
  const found = violations(spec);
  if (found.length === 0) return undefined;
  const text = `violate PodSecurity "restricted:${version}": ${found.join(", ")}`;
  return { pods: text.replace("violate", "violates"), warning: `would ${text}` };
}

function violations(spec: PodSpec): string[] {
  const all = spec.containers;
  const whole = spec.securityContext ?? {};
  const who = (bad: typeof all): string =>
    `container${bad.length > 1 ? "s" : ""} ${bad.map((one) => JSON.stringify(one.name)).join(", ")} must set`;
  const found: string[] = [];
  const check = (test: (one: (typeof all)[number]) => boolean, what: string, must: string): void => {
    const bad = all.filter((one) => !test(one));
    if (bad.length > 0) found.push(`${what} (${who(bad)} ${must})`);
  };
  check(
    (one) => one.securityContext?.allowPrivilegeEscalation === false,
    "allowPrivilegeEscalation != false",
    "securityContext.allowPrivilegeEscalation=false",
  );
  check(
    (one) => one.securityContext?.capabilities?.drop?.includes("ALL") === true,
    "unrestricted capabilities",
    'securityContext.capabilities.drop=["ALL"]',
  );
  const hosts = all.filter((one) =>
    [one.livenessProbe, one.readinessProbe, one.startupProbe].some((probe) => probe?.httpGet?.host || probe?.tcpSocket?.host),
  );
  if (hosts.length > 0) {
    const names = hosts.map((one) => JSON.stringify(one.name)).join(", ");
    found.push(`probe or lifecycle host (container${hosts.length > 1 ? "s" : ""} ${names} must not set probe or lifecycle host)`);
  }
  if (whole.runAsNonRoot !== true && !all.every((one) => one.securityContext?.runAsNonRoot === true)) {
    found.push(`runAsNonRoot != true (pod or ${who(all)} securityContext.runAsNonRoot=true)`);
  }
  if (whole.runAsUser === 0) found.push("runAsUser=0 (pod must not set runAsUser=0)");
  if (!whole.seccompProfile && !all.every((one) => one.securityContext?.seccompProfile)) {
    found.push(`seccompProfile (pod or ${who(all)} securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`);
  }
  return found;
}

function listOf(store: Store, plural: string, namespace: string): KubeObject[] {
  return store.collections.get(`/${plural}`)?.list(namespace) ?? [];
}
