import { isDeepStrictEqual } from "node:util";
import { invalid } from "./api-error.ts";
import type { Cause, Named } from "./api-error.ts";
import { isMap, isObject } from "./object.ts";
import type { Claim, Container, Deployment, KubeObject, Pod, PodSpec } from "./object.ts";
import { quantityValue } from "./quantity.ts";
import { selects } from "./selector.ts";
import { ingress, service } from "./validate-network.ts";
import { bad, forbidden, LABEL, required, SUBDOMAIN } from "./validate-words.ts";
import { networkPolicy } from "./validate-policy.ts";

const LABEL_VALUE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an " +
  "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is " +
  "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/** Throws an Invalid error for what the real API server would refuse; `before` is what the object was, if it was there. */
export function validate(of: Named, object: KubeObject, before: KubeObject | undefined): void {
  const causes = [...names(of, object), ...labels(object.metadata.labels, "metadata.labels")];
  if (isDeployment(object)) causes.push(...deployment(object, before));
  if (isClaim(object) && isClaim(before)) causes.push(...claim(object, before));
  if (isPod(object)) causes.push(...podSpec(object.spec, "spec"));
  if (object.kind === "Service") causes.push(...service(object));
  if (object.kind === "Ingress") causes.push(...ingress(object));
  if (object.kind === "NetworkPolicy") causes.push(...networkPolicy(object));
  if (causes.length > 0) throw invalid(of, object.metadata.name, causes);
}

function names(of: Named, { metadata: { name } }: KubeObject): Cause[] {
  const isLabel = of.kind === "Namespace" || of.kind === "Service";
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name) || (isLabel && name.includes("."))) {
    return [bad("metadata.name", name, isLabel ? LABEL : SUBDOMAIN)];
  }
  const most = isLabel ? 63 : 253;
  return name.length > most ? [bad("metadata.name", name, `must be no more than ${most} characters`)] : [];
}

function labels(map: Record<string, string> | undefined, field: string): Cause[] {
  return Object.values(map ?? {}).flatMap((value) => {
    if (value.length > 63) return [bad(field, value, "must be no more than 63 characters")];
    return /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/.test(value) ? [] : [bad(field, value, LABEL_VALUE)];
  });
}

function deployment(object: Deployment, before: KubeObject | undefined): Cause[] {
  const { selector, template } = object.spec;
  if (before && !isDeepStrictEqual(before.spec?.selector, selector)) return [bad("spec.selector", selector, "field is immutable")];
  const own = template.metadata?.labels ?? {};
  if (!selects(selector, own)) return [bad("spec.template.metadata.labels", own, "`selector` does not match template `labels`")];
  return [...labels(own, "spec.template.metadata.labels"), ...podSpec(template.spec, "spec.template.spec")];
}

function podSpec(spec: PodSpec, path: string): Cause[] {
  if (!spec.containers || spec.containers.length === 0) return [required(`${path}.containers`)];
  const volumes = new Set((spec.volumes ?? []).map((volume) => volume.name));
  return spec.containers.flatMap((one, index) => container(one, volumes, `${path}.containers[${index}]`));
}

function container(one: Container, volumes: ReadonlySet<string>, path: string): Cause[] {
  const causes: Cause[] = one.image ? [] : [required(`${path}.image`)];
  const { limits = {}, requests = {} } = one.resources ?? {};
  for (const [name, value] of Object.entries(requests)) {
    const limit = limits[name];
    if (limit === undefined || quantityValue(value) <= quantityValue(limit)) continue;
    causes.push(bad(`${path}.resources.requests`, value, `must be less than or equal to ${name} limit of ${limit}`));
  }
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"] as const) {
    const probe = one[name];
    if (!probe) continue;
    const handlers = (["exec", "httpGet", "tcpSocket"] as const).filter((handler) => probe[handler] !== undefined);
    if (handlers.length === 0) causes.push(required(`${path}.${name}`, "must specify a handler type"));
    for (const more of handlers.slice(1)) causes.push(forbidden(`${path}.${name}.${more}`, "may not specify more than 1 handler type"));
    const { successThreshold = 1 } = probe;
    if (name !== "readinessProbe" && successThreshold !== 1)
      causes.push(bad(`${path}.${name}.successThreshold`, successThreshold, "must be 1"));
  }
  (one.volumeMounts ?? []).forEach((mount, index) => {
    if (volumes.has(mount.name)) return;
    causes.push({
      field: `${path}.volumeMounts[${index}].name`,
      reason: "FieldValueNotFound",
      why: `Not found: ${JSON.stringify(mount.name)}`,
    });
  });
  return causes;
}

// Only its size may change, and only grow.
function claim(object: Claim, before: Claim): Cause[] {
  if (!isDeepStrictEqual(withoutSize(object), withoutSize(before))) {
    const why = "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
    return [{ field: "spec", reason: "FieldValueForbidden", why }];
  }
  if (sizeOf(object) >= sizeOf(before)) return [];
  const why = "Forbidden: field can not be less than status.capacity";
  return [{ field: "spec.resources.requests.storage", reason: "FieldValueForbidden", why }];
}

function withoutSize({ spec: { resources: _size, ...rest } }: Claim): object {
  return rest;
}

const sizeOf = ({ spec }: Claim): number => quantityValue(spec.resources?.requests?.storage);

/** Whether an object is a PersistentVolumeClaim. */
export function isClaim(object: unknown): object is Claim {
  return isObject(object) && object.kind === "PersistentVolumeClaim" && isMap(object.spec);
}

/** Whether an object is a Deployment that has a pod template. */
export function isDeployment(object: unknown): object is Deployment {
  return isObject(object) && object.kind === "Deployment" && isMap(object.spec) && isMap(object.spec.template);
}

/** Whether an object is a Pod. */
export function isPod(object: unknown): object is Pod {
  return isObject(object) && object.kind === "Pod" && isMap(object.spec);
}
