import { internal, invalid } from "./api-error.ts";
import { isMap } from "./object.ts";
import type { JsonMap, KubeObject } from "./object.ts";
import type { Script } from "./script.ts";
import type { Store } from "./store.ts";

/** The node ports that a cluster has to give, both ends included. */
export type NodePortRange = { first: number; last: number };

/** The range that a cluster has unless it is told otherwise. */
export const usualNodePorts: NodePortRange = { first: 30_000, last: 32_767 };

/** Gives a service its cluster address and node ports, keeping those it has, and refuses a port that is taken. */
export function prepareService(
  store: Store,
  script: Script,
  range: NodePortRange,
  service: KubeObject,
  before: KubeObject | undefined,
): void {
  const spec: JsonMap = service.spec ?? {};
  const address = isMap(before?.spec) ? before.spec.clusterIP : undefined;
  spec.clusterIP ??= address ?? freeAddress(store);
  spec.clusterIPs ??= [spec.clusterIP];
  service.status ??= { loadBalancer: {} };
  if (spec.type !== "NodePort" && spec.type !== "LoadBalancer") {
    // One that was of such a type gives back what it had.
    delete spec.externalTrafficPolicy;
    for (const port of portsOf(service)) delete port.nodePort;
    return;
  }
  const { name, namespace } = service.metadata;
  const old = before ? portsOf(before) : [];
  const taken = new Set(
    store.services
      .list()
      .flatMap((one) => (one.metadata.name === name && one.metadata.namespace === namespace ? [] : portsOf(one).map(nodePort))),
  );
  portsOf(service).forEach((port, index, all) => {
    port.nodePort ??= old.find((one) => one.port === port.port && one.protocol === port.protocol)?.nodePort;
    // TCP and UDP of one port share their node port.
    const twin = all.slice(0, index).find((one) => one.port === port.port);
    port.nodePort ??= twin?.nodePort;
    const wish = nodePort(port);
    if (wish === undefined) {
      const fault = script.take("node-port", { namespace });
      if (fault) throw internal(fault.message);
      const free = freePort(taken, range);
      if (free === undefined) throw internal("failed to allocate a nodePort: range is full");
      port.nodePort = free;
    } else {
      const { first, last } = range;
      const why =
        wish < first || wish > last ? `provided port is not in the valid range. The range of valid ports is ${first}-${last}` : undefined;
      const wrong = why ?? (taken.has(wish) && twin?.nodePort !== wish ? "provided port is already allocated" : undefined);
      const field = `spec.ports[${index}].nodePort`;
      if (wrong)
        throw invalid(store.services.resource, name, [{ field, reason: "FieldValueInvalid", why: `Invalid value: ${wish}: ${wrong}` }]);
    }
    taken.add(nodePort(port));
  });
}

const nodePort = (port: JsonMap): number | undefined => (typeof port.nodePort === "number" ? port.nodePort : undefined);

function portsOf(service: KubeObject): JsonMap[] {
  const ports: unknown = service.spec?.ports;
  return Array.isArray(ports) ? ports.filter(isMap) : [];
}

/** A node port of the range that is not taken, at random; undefined if there is none. */
export function freePort(taken: ReadonlySet<number | undefined>, { first, last }: NodePortRange): number | undefined {
  const size = last - first + 1;
  const start = Math.floor(Math.random() * size);
  for (let step = 0; step < size; step += 1) {
    const port = first + ((start + step) % size);
    if (!taken.has(port)) return port;
  }
  return undefined;
}

function freeAddress(store: Store): string {
  const taken = new Set(store.services.list().map((one) => one.spec.clusterIP));
  for (let number = 10; ; number += 1) {
    const address = `10.96.${number >> 8}.${number & 255}`;
    if (!taken.has(address)) return address;
  }
}
