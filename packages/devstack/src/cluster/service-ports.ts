import { internal, invalid } from "./api-error.ts";
import { isMap } from "./object.ts";
import type { JsonMap, KubeObject } from "./object.ts";
import type { Script } from "./script.ts";
import type { Store } from "./store.ts";

const FIRST = 30_000;
const LAST = 32_767;

/** Gives a service its cluster address and node ports, keeping those it has, and refuses a port that is taken. */
export function prepareService(store: Store, script: Script, service: KubeObject, before: KubeObject | undefined): void {
  const spec: JsonMap = service.spec ?? {};
  const address = isMap(before?.spec) ? before.spec.clusterIP : undefined;
  spec.clusterIP ??= address ?? freeAddress(store);
  spec.clusterIPs ??= [spec.clusterIP];
  service.status ??= { loadBalancer: {} };
  if (spec.type !== "NodePort" && spec.type !== "LoadBalancer") return;
  const { name, namespace } = service.metadata;
  const old = before ? portsOf(before) : [];
  const taken = new Set(
    store.services
      .list()
      .flatMap((one) => (one.metadata.name === name && one.metadata.namespace === namespace ? [] : portsOf(one).map(nodePort))),
  );
  portsOf(service).forEach((port, index) => {
    port.nodePort ??= old.find((one) => one.port === port.port && one.protocol === port.protocol)?.nodePort;
    const wish = nodePort(port);
    if (wish === undefined) {
      const fault = script.take("node-port", { namespace });
      if (fault) throw internal(fault.message);
      port.nodePort = freePort(taken);
    } else {
      const why =
        wish < FIRST || wish > LAST ? `provided port is not in the valid range. The range of valid ports is ${FIRST}-${LAST}` : undefined;
      const wrong = why ?? (taken.has(wish) ? "provided port is already allocated" : undefined);
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

function freePort(taken: ReadonlySet<number | undefined>): number {
  const size = LAST - FIRST + 1;
  const start = Math.floor(Math.random() * size);
  for (let step = 0; step < size; step += 1) {
    const port = FIRST + ((start + step) % size);
    if (!taken.has(port)) return port;
  }
  throw internal("failed to allocate a nodePort: range is full");
}

function freeAddress(store: Store): string {
  const taken = new Set(store.services.list().map((one) => one.spec.clusterIP));
  for (let number = 10; ; number += 1) {
    const address = `10.96.${number >> 8}.${number & 255}`;
    if (!taken.has(address)) return address;
  }
}
