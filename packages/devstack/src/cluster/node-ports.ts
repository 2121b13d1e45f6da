import { existsSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { join } from "node:path";
import { keep } from "../keeper.ts";
import type { Kept } from "../keeper.ts";
import { until } from "../until.ts";
import type { Kubelet } from "./kubelet.ts";
import { condition, isMap } from "./object.ts";
import type { Pod, Service, ServicePort } from "./object.ts";
import type { Sandbox } from "./sandbox.ts";
import { selects } from "./selector.ts";
import { freePort } from "./service-ports.ts";
import type { NodePortRange } from "./service-ports.ts";
import type { Store } from "./store.ts";

// Runs in a pod's network and connects there for us: a UNIX socket reaches across networks, and its first line says which port.
const BRIDGE = `
const [path, address] = process.argv.slice(1);
const { connect, createServer } = require("node:net");
createServer({ allowHalfOpen: true }, (outside) => {
  outside.once("data", (first) => {
    const end = first.indexOf(10);
    const inside = connect({ port: Number(first.subarray(0, end)), host: address, allowHalfOpen: true });
    const close = () => { inside.destroy(); outside.destroy(); };
    inside.once("error", close);
    outside.once("error", close);
    inside.write(first.subarray(end + 1));
    outside.pipe(inside);
    inside.pipe(outside);
    inside.once("close", close);
  });
}).listen(path);`;

/** What kube-proxy does: a listener on the node's address for every node port, to a ready pod that the service selects. */
export type NodePorts = { stop: () => Promise<void> };

/** Opens and closes listeners as services come and go; a port that is taken on this machine is exchanged for another. */
export function serveNodePorts(store: Store, kubelet: Kubelet, options: { address: string; dir: string; range: NodePortRange }): NodePorts {
  const open = new Map<number, Server>();
  const sockets = new Set<Socket>();
  const bridges = new Map<number, Promise<Bridge>>();
  const sync = (): void => {
    const all = nodePorts(store);
    for (const [number, server] of open) {
      if (all.has(number)) continue;
      server.close();
      open.delete(number);
    }
    for (const [number, { service, port }] of all) if (!open.has(number)) listen(number, service, port);
  };
  const listen = (number: number, service: Service, port: ServicePort): void => {
    const server = createServer({ allowHalfOpen: true }, (client) => {
      sockets.add(client);
      client.on("error", () => client.destroy()).once("close", () => sockets.delete(client));
      void forward(client, number);
    });
    open.set(number, server);
    server.on("error", () => {
      open.delete(number);
      exchange(store, service, port, options.range);
    });
    server.listen(number, options.address);
  };
  const bridgeTo = (sandbox: Sandbox): Promise<Bridge> => {
    let bridge = bridges.get(sandbox.pid);
    if (!bridge) {
      bridge = startBridge(sandbox, join(options.dir, `net-${sandbox.pid}`));
      bridges.set(sandbox.pid, bridge);
      void Promise.allSettled([bridge, sandbox.exited]).then(([made]) => {
        bridges.delete(sandbox.pid);
        return made.status === "fulfilled" ? made.value.kept.end() : undefined;
      });
    }
    return bridge;
  };
  const forward = async (client: Socket, number: number): Promise<void> => {
    const target = nodePorts(store).get(number);
    const pod = target && backend(store, target.service);
    const sandbox = pod && kubelet.sandbox(pod.metadata.uid);
    try {
      if (!target || !sandbox) throw new Error("no ready pod");
      const { path } = await bridgeTo(sandbox);
      const inside = connect({ path, allowHalfOpen: true });
      inside.on("error", () => client.resetAndDestroy());
      inside.write(`${targetPort(pod, target.port)}\n`);
      client.pipe(inside);
      inside.pipe(client);
      client.once("close", () => inside.destroy());
      inside.once("close", () => client.destroy());
    } catch {
      // As from a real node: without a ready pod the connection is refused.
      client.resetAndDestroy();
    }
  };
  const unsubscribe = store.onChange(({ resource }) => {
    if (resource === store.services.resource) sync();
  });
  return {
    stop: async () => {
      unsubscribe();
      for (const server of open.values()) server.close();
      for (const socket of sockets) socket.destroy();
      const all = await Promise.allSettled(bridges.values());
      await Promise.all(all.flatMap((one) => (one.status === "fulfilled" ? [one.value.kept.end()] : [])));
    },
  };
}

type Bridge = { path: string; kept: Kept };

async function startBridge(sandbox: Sandbox, path: string): Promise<Bridge> {
  const kept = await keep(sandbox.inNetwork([process.execPath, "-e", BRIDGE, path, sandbox.address]), { signal: "KILL" });
  await until("the way into the pod's network is open", async () => existsSync(path) || undefined);
  return { path, kept };
}

function nodePorts(store: Store): Map<number, { service: Service; port: ServicePort }> {
  const all = store.services.list().flatMap((service) => service.spec.ports.map((port) => ({ service, port })));
  return new Map(all.flatMap((one) => (one.port.nodePort === undefined || one.port.protocol === "UDP" ? [] : [[one.port.nodePort, one]])));
}

function backend(store: Store, service: Service): Pod | undefined {
  const { selector } = service.spec;
  if (!isMap(selector)) return undefined;
  return store.pods
    .list(service.metadata.namespace)
    .find((pod) => selects({ matchLabels: selector }, pod.metadata.labels) && condition(pod.status.conditions, "Ready")?.status === "True");
}

function targetPort(pod: Pod, { targetPort: target, port }: ServicePort): number {
  if (typeof target === "number") return target;
  const named = pod.spec.containers.flatMap((one) => one.ports ?? []).find(({ name }) => name === target);
  return named?.containerPort ?? (Number(target) || port);
}

function exchange(store: Store, service: Service, { port, protocol, nodePort }: ServicePort, range: NodePortRange): void {
  const taken = new Set([nodePort, ...store.services.list().flatMap((one) => one.spec.ports.map(({ nodePort }) => nodePort))]);
  const next = freePort(taken, range);
  if (next === undefined) return;
  store.services.update(service.metadata.namespace, service.metadata.name, (draft) => {
    const found = draft.spec.ports.find((one) => one.port === port && one.protocol === protocol);
    if (found) found.nodePort = next;
  });
}
