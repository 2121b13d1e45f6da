import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { keep } from "../keeper.ts";
import { createApi } from "./api.ts";
import { serveApiInPods } from "./api-in-pods.ts";
import { setNodeReady, startControllers } from "./controllers.ts";
import { collectGarbage } from "./deletion.ts";
import { IMAGES } from "./images.ts";
import { startKubelet } from "./kubelet.ts";
import type { Kubelet } from "./kubelet.ts";
import { makeNode } from "./node.ts";
import { serveNodePorts } from "./node-ports.ts";
import { startNothing } from "./no-process.ts";
import { startPlain } from "./plain-process.ts";
import type { Loop } from "./reconcile.ts";
import { canIsolate, removeTree, startIsolated } from "./sandbox.ts";
import { FAILURES, Script } from "./script.ts";
import type { FailureName, Fault, Scope } from "./script.ts";
import { serveApi } from "./server.ts";
import { usualNodePorts } from "./service-ports.ts";
import type { NodePortRange } from "./service-ports.ts";
import { standardClass, startStorage } from "./storage.ts";
import { Store } from "./store.ts";

/** Options of `startCluster`; all have defaults. */
export type ClusterOptions = {
  /** Port of the API server. Default: a free one. */
  port?: number;
  /** How long a namespace that is being deleted lives on before it is emptied. Default 300; a real cluster takes 5000. */
  namespaceDelayMs?: number;
  /** First pause after a failed pull or start; it doubles. Default 1000; a real node takes 10 000. */
  backOffMs?: number;
  /** How many CPUs the node has to give. Default: 64 or more, so that tests do not crowd each other out. */
  cpus?: number;
  /** The node ports that there are. Default: 30000 to 32767. */
  nodePorts?: NodePortRange;
  /** Whether pods get namespaces of their own. Default: if the kernel grants them. */
  isolate?: boolean;
  /** False: containers are only said to run, so that there can be thousands of them. Default: true. */
  processes?: boolean;
  /** Folders of this machine that every pod sees at a path of its own, to leave marks in. Default: none. */
  binds?: readonly { from: string; to: string }[];
  /** Whether pods reach the API server, as in a real cluster; costs a process a pod. Default: no. */
  apiInPods?: boolean;
};

/** Pods that something is done to: one of a namespace, or all in it. */
export type PodPick = { namespace: string; name?: string };

/** A small Kubernetes on this machine: the real kubectl talks to it, pods are processes. */
export type EmbeddedCluster = {
  /** Path of a kubeconfig with all rights. */
  kubeconfig: string;
  url: string;
  /** Where node ports answer. */
  nodeAddress: string;
  /** Whether pods are isolated by the kernel; without, they are plain processes in a folder. */
  isolated: boolean;
  /** Puts a failure that has a name in force, in a scope (default: everywhere); the returned function undoes it. */
  fail: (name: FailureName, scope?: Scope) => () => void;
  /** Puts a fault of one's own in force; the returned function undoes it. */
  script: (fault: Fault, scope?: Scope) => () => void;
  /** Undoes all faults. */
  heal: () => void;
  /** Kills the containers of the picked pods as the kernel would, with this reason (default OOMKilled) in their status. */
  killContainers: (pick: PodPick, reason?: "OOMKilled" | "Error") => void;
  /** Evicts the picked pods: they stay as Failed, and their controller makes new ones. */
  evict: (pick: PodPick, message?: string) => void;
  /** The node stops reporting, or reports again: its Ready is Unknown, its pods are no longer ready. Their processes go on. */
  setNodeReady: (ready: boolean) => void;
  /** The API server refuses and cuts all connections until `resume`. Pods go on. */
  pause: () => Promise<void>;
  resume: () => Promise<void>;
  /** Ends it with all its pods. */
  stop: () => Promise<void>;
};

const ADDRESS = "127.0.0.1";
const FULL = 'Usage of EmptyDir volume "workspace" exceeds the limit "10Gi". ';

/** Starts a cluster with one node. Nothing of it outlives this process. */
export async function startCluster(options: ClusterOptions = {}): Promise<EmbeddedCluster> {
  const dir = await mkdtemp(join(tmpdir(), "podq-cluster-"));
  await mkdir(join(dir, "pods"));
  const folder = await keep(["sleep", "2147483647"], { removeDir: dir, signal: "KILL" });
  const store = new Store();
  const waiting: { loops: Loop[]; kubelet?: Kubelet } = { loops: [] };
  const script = new Script(() => {
    for (const loop of waiting.loops) loop.kick();
    waiting.kubelet?.kick();
  });
  const isolated = options.isolate ?? isolation();
  const apiInPods = options.apiInPods === true && isolated ? serveApiInPods(join(dir, "api")) : undefined;
  const start = options.processes === false ? startNothing : isolated ? startIsolated : startPlain;
  const kubelet = startKubelet(store, {
    script,
    dir: join(dir, "pods"),
    nodeName: "n1",
    nodeAddress: ADDRESS,
    images: IMAGES,
    backOffMs: options.backOffMs ?? 1000,
    newAddress: addresses(),
    binds: (options.binds ?? []).map((bind) => ({ ...bind, mode: "rw" })),
    start: async (plan) => {
      const sandbox = await start(plan);
      await apiInPods?.give(sandbox);
      return sandbox;
    },
  });
  waiting.kubelet = kubelet;
  waiting.loops = [...startControllers(store, script, options.namespaceDelayMs ?? 300), startStorage(store, join(dir, "volumes"))];
  const stopGarbage = collectGarbage(store);
  furnish(store, options.cpus ?? Math.max(64, cpus().length));
  const range = options.nodePorts ?? usualNodePorts;
  const ports = serveNodePorts(store, kubelet, { address: ADDRESS, dir, range });
  const server = await serveApi({ store, api: createApi(store, script, range), script, kubelet, port: options.port ?? 0 });
  apiInPods?.to(server.port);
  const url = `http://${ADDRESS}:${server.port}`;
  const kubeconfig = join(dir, "kubeconfig");
  await writeFile(kubeconfig, kubeconfigText(url), { mode: 0o600 });
  const picked = ({ namespace, name }: PodPick): string[] =>
    store.pods.list(namespace).flatMap(({ metadata }) => (name === undefined || metadata.name === name ? [metadata.uid] : []));
  return {
    kubeconfig,
    url,
    nodeAddress: ADDRESS,
    isolated,
    fail: (name, scope) => script.add(FAILURES[name], scope),
    script: (fault, scope) => script.add(fault, scope),
    heal: () => script.clear(),
    killContainers: (pick, reason = "OOMKilled") => {
      for (const uid of picked(pick)) kubelet.runner(uid)?.kill(reason);
    },
    evict: (pick, message = FULL) => {
      for (const uid of picked(pick)) kubelet.runner(uid)?.evict(message);
    },
    setNodeReady: (ready) => setNodeReady(store, ready),
    pause: server.pause,
    resume: server.resume,
    stop: async () => {
      for (const loop of waiting.loops) loop.stop();
      stopGarbage();
      await server.stop();
      await Promise.all([ports.stop(), kubelet.stop()]);
      apiInPods?.stop();
      await Promise.all(["pods", "volumes"].map(async (name) => removeTree(join(dir, name))));
      await folder.end();
    },
  };
}

// What is in a cluster before anybody comes.
function furnish(store: Store, cpuCount: number): void {
  store.collections.get("/nodes")?.insert(makeNode({ address: ADDRESS, cpus: cpuCount, memoryBytes: Math.max(totalmem(), 64 * 2 ** 30) }));
  store.classes.insert(standardClass());
  for (const name of ["default", "kube-system", "kube-public"]) {
    const metadata = { name, uid: "", resourceVersion: "", creationTimestamp: "", labels: { "kubernetes.io/metadata.name": name } };
    const spec = { finalizers: ["kubernetes"] };
    store.namespaces.insert({ apiVersion: "v1", kind: "Namespace", metadata, spec, status: { phase: "Active" } });
  }
}

function addresses(): () => string {
  let last = 1;
  return () => {
    last += 1;
    return `10.244.${(last >> 8) & 255}.${last & 255}`;
  };
}

let told = false;

function isolation(): boolean {
  const isolated = process.platform === "linux" && canIsolate();
  if (!isolated && !told) {
    told = true;
    process.stderr.write("podq: this machine grants no namespaces to this user: pods are plain processes in a folder, without isolation\n");
  }
  return isolated;
}

function kubeconfigText(server: string): string {
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "embedded",
    clusters: [{ name: "embedded", cluster: { server } }],
    users: [{ name: "admin", user: {} }],
    contexts: [{ name: "embedded", context: { cluster: "embedded", user: "admin" } }],
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}
