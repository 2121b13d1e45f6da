// Which ports a pod publishes, and how. The truth is its Service: what answers there is what is told, and whoever changes it reads it
// first. Pure.
import { KubeError } from "./errors.ts";
import { annotation } from "./names.ts";
import type { Service } from "./objects.ts";

/** A port of a pod. */
export type Port = { name: string; port: number; protocol: "TCP" | "UDP" };

/** How ports are reached: at a node port, inside the cluster alone, or by an Ingress. */
export type Access = "nodePort" | "clusterIP" | "ingress";

/** What a pod publishes. `exposed` names the ports that were added since it was made: a later create leaves them alone. */
export type Publication = { access: Access; ports: readonly Port[]; exposed: readonly string[] };

/** What a create says of ports; what it leaves out stays as it is. */
type Asked = { ports?: readonly Port[] | undefined; access?: Access | undefined };

const usual: Publication = { access: "nodePort", ports: [{ name: "http", port: 8080, protocol: "TCP" }], exposed: [] };
const maxPorts = 64;

/** What a Service publishes. */
export function publicationOf({ metadata, spec }: Service): Publication {
  const { [annotation.url]: url, [annotation.exposed]: exposed = "" } = metadata.annotations ?? {};
  const ports = (spec.ports ?? []).map(({ name = "", port, protocol = "TCP" }): Port => ({ name, port, protocol }));
  const access = spec.type === "NodePort" ? "nodePort" : url === undefined ? "clusterIP" : "ingress";
  return { access, ports, exposed: exposed.split(" ").filter((name) => ports.some((port) => port.name === name)) };
}

/** What a create makes of what is published: what it asks for, and what was exposed, unless that is in the way. */
export function published({ ports, access }: Asked, there: Publication | undefined): Publication {
  const now = there ?? usual;
  if (ports === undefined) return { ...now, access: access ?? now.access };
  const kept = now.ports.filter((port) => now.exposed.includes(port.name) && !ports.some((one) => clash(one, port)));
  return { access: access ?? now.access, ports: [...ports, ...kept], exposed: kept.map(({ name }) => name) };
}

/** What of a pod is its Service's. */
export type PublishedField = "ports" | "access";

/** The fields in which what is published is not what a create asks for. What was exposed besides is no difference. */
export function publishedOtherwise({ ports, access }: Asked, there: Publication): PublishedField[] {
  const declared = there.ports.filter(({ name }) => !there.exposed.includes(name));
  const samePorts = ports === undefined || (covers(there.ports, ports) && covers(ports, declared));
  return [...(samePorts ? [] : (["ports"] as const)), ...(access === undefined || access === there.access ? [] : (["access"] as const))];
}

/** With a port more; the same if it is there. Throws KubeError `conflict` if its name or its number is another's. */
export function withPort(there: Publication, { name, port, protocol }: Omit<Port, "name"> & { name?: string | undefined }): Publication {
  const same = there.ports.find((one) => one.port === port && one.protocol === protocol);
  if (same !== undefined && (name === undefined || name === same.name)) return there;
  const added: Port = { name: name ?? `${protocol === "UDP" ? "udp" : "port"}-${port}`, port, protocol };
  const other = there.ports.find((one) => clash(one, added));
  if (other !== undefined)
    throw new KubeError("conflict", `${told(added)} cannot be exposed beside ${told(other)}, which is: unexpose that first`);
  if (there.ports.length >= maxPorts) throw new KubeError("conflict", `the pod has ${there.ports.length} ports, the most that it may have`);
  return { ...there, ports: [...there.ports, added], exposed: [...there.exposed, added.name] };
}

/** Without a port; the same if it is not there. Throws KubeError `conflict` for the last one: a Service has a port at least. */
export function withoutPort(there: Publication, name: string): Publication {
  const ports = there.ports.filter((port) => port.name !== name);
  if (ports.length === there.ports.length) return there;
  if (ports.length === 0)
    throw new KubeError("conflict", `${name} is the pod's only port, and a pod has one at least: expose another first`);
  return { ...there, ports, exposed: there.exposed.filter((one) => one !== name) };
}

const clash = (a: Port, b: Port): boolean => a.name === b.name || (a.port === b.port && a.protocol === b.protocol);
const equal = (a: Port, b: Port): boolean => a.name === b.name && a.port === b.port && a.protocol === b.protocol;
const covers = (all: readonly Port[], some: readonly Port[]): boolean => some.every((one) => all.some((other) => equal(one, other)));
const told = ({ name, port, protocol }: Port): string => `port ${name} (${port}/${protocol})`;
