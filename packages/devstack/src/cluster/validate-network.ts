// What the API server refuses of Services and Ingresses, in its words.
import type { Cause } from "./api-error.ts";
import { isMap } from "./object.ts";
import type { JsonMap, KubeObject } from "./object.ts";
import { bad, LABEL, required, SUBDOMAIN } from "./validate-words.ts";

const PORT = "must be between 1 and 65535, inclusive";
const isPort = (value: unknown): boolean => typeof value === "number" && value >= 1 && value <= 65_535;
const isSubdomain = (text: string): boolean =>
  text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text);

/** What is wrong with a Service. */
export function service({ spec = {} }: KubeObject): Cause[] {
  const ports = maps(spec.ports);
  if (ports.length === 0 && spec.type !== "ExternalName" && spec.clusterIP !== "None") return [required("spec.ports")];
  const names = new Set<unknown>();
  return ports.flatMap((port, index) => {
    const at = `spec.ports[${index}]`;
    const causes = [...portName(port.name, ports.length > 1, names, `${at}.name`)];
    if (!isPort(port.port)) causes.push(bad(`${at}.port`, port.port, PORT));
    const target = port.targetPort;
    if (typeof target === "number" && !isPort(target)) causes.push(bad(`${at}.targetPort`, target, PORT));
    if (typeof target === "string" && !/^[a-z0-9-]+$/i.test(target))
      causes.push(bad(`${at}.targetPort`, target, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"));
    names.add(port.name);
    return causes;
  });
}

function portName(name: unknown, isNeeded: boolean, taken: ReadonlySet<unknown>, field: string): Cause[] {
  if (typeof name !== "string" || name === "") return isNeeded ? [required(field)] : [];
  if (name.length > 63 || !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)) return [bad(field, name, LABEL)];
  return taken.has(name) ? [{ field, reason: "FieldValueDuplicate", why: `Duplicate value: ${JSON.stringify(name)}` }] : [];
}

/** What is wrong with an Ingress. */
export function ingress({ spec = {} }: KubeObject): Cause[] {
  const rules = maps(spec.rules);
  if (rules.length === 0 && spec.defaultBackend === undefined)
    return [bad("spec", spec.rules ?? null, "either `defaultBackend` or `rules` must be specified")];
  return rules.flatMap((rule, index) => {
    const at = `spec.rules[${index}]`;
    const host = typeof rule.host === "string" ? rule.host : "";
    const causes = host === "" || isSubdomain(host.replace(/^\*\./, "")) ? [] : [bad(`${at}.host`, host, SUBDOMAIN)];
    if (!isMap(rule.http)) return causes;
    const paths = maps(rule.http.paths);
    if (paths.length === 0) causes.push(required(`${at}.http.paths`));
    return [...causes, ...paths.flatMap((path, n) => ingressPath(path, `${at}.http.paths[${n}]`))];
  });
}

function ingressPath({ path, pathType, backend }: JsonMap, at: string): Cause[] {
  const causes: Cause[] = [];
  if (typeof pathType !== "string") causes.push(required(`${at}.pathType`, "pathType must be specified"));
  else if (typeof path === "string" && !path.startsWith("/")) causes.push(bad(`${at}.path`, path, "must be an absolute path"));
  const to = isMap(backend) ? backend : {};
  if (!isMap(to.service)) {
    if (!isMap(to.resource)) causes.push(bad(`${at}.backend`, "", "resource or service backend is required"));
    return causes;
  }
  const port = isMap(to.service.port) ? to.service.port : {};
  if (port.name === undefined && port.number === undefined) causes.push(required(`${at}.backend`, "port name or number is required"));
  return causes;
}

const maps = (value: unknown): JsonMap[] => (Array.isArray(value) ? value.filter(isMap) : []);
