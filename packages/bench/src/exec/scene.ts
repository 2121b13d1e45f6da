import { randomBytes } from "node:crypto";
import { connect, type Podq } from "@podq/client";
import { startMongo, startRedis } from "@podq/devstack";
import { useTestCluster, type TestCluster } from "@podq/devstack/testing";
import { createExecs, type Execs } from "@podq/kube";
import { createHostKeys, createPool, loadKey, type Pool } from "@podq/ssh";
import { MongoClient } from "mongodb";
import { startChild, type Child } from "../child.ts";
import { BenchError } from "../errors.ts";

/** A pod that commands run in. */
export type Place = { project: string; namespace: string; pod: string; podUid: string };

/** So many workers, with a queue and a database of their own, and the SDK on them. */
export type Fleet = { workers: number; podq: Podq };

/** Everything that is measured. */
export type Scene = {
  cluster: TestCluster;
  pool: Pool;
  execs: Execs;
  places: Place[];
  fleets: Fleet[];
  /** Ends and removes all of it, the pods on the cluster too. */
  close: () => Promise<void>;
};

/** How much there is to be. */
export type SceneOptions = { pods: number; fleets: readonly number[]; say: (line: string) => void };

const GONE_MS = 180_000;

/** Starts the services, the workers and the pods. What was started is ended again if something fails. */
export async function openScene(options: SceneOptions): Promise<Scene> {
  const { say } = options;
  const undo: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const one of undo.splice(0).toReversed()) await one().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw new AggregateError(failures, `not all was cleaned up: ${failures.map(String).join("; ")}`);
  };
  try {
    return { ...(await build(options, undo)), close };
  } catch (error) {
    await close().catch((failed: unknown) => say(String(failed)));
    throw error;
  }
}

async function build({ pods, fleets: sizes, say }: SceneOptions, undo: (() => Promise<unknown>)[]): Promise<Omit<Scene, "close">> {
  const cluster = await useTestCluster();
  undo.push(cluster.stop);
  const redis = await startRedis();
  undo.push(redis.stop);
  const mongo = await startMongo();
  undo.push(mongo.stop);
  say(`services are up, cluster: ${cluster.kind}`);

  const installation = `bench-${randomBytes(3).toString("hex")}`;
  undo.push(async () => removeNamespaces(cluster, installation, say));
  const { host, port, username, privateKey, knownHosts } = cluster.ssh;
  const fleet = async (workers: number, n: number): Promise<Fleet & { database: string }> => {
    const database = `fleet${n}`;
    const mongodbUri = mongo.uri.replace("/?", `/${database}?`);
    const settings = {
      REDIS_URL: redis.url,
      MONGODB_URI: mongodbUri,
      PODQ_PREFIX: database,
      PODQ_INSTALLATION: installation,
      PODQ_LOG_LEVEL: "warn",
      K8S_SSH_HOST: host,
      K8S_SSH_PORT: String(port),
      K8S_SSH_USERNAME: username,
      K8S_SSH_KEY_STRING: privateKey,
      K8S_SSH_KNOWN_HOSTS: knownHosts,
    };
    const start = async (): Promise<Child> => startChild(new URL("./worker-child.ts", import.meta.url), settings);
    const children = await Promise.allSettled(Array.from({ length: workers }, start));
    for (const child of children) if (child.status === "fulfilled") undo.push(child.value.stop);
    for (const child of children) if (child.status === "rejected") throw child.reason;
    const podq = await connect({ redisUrl: redis.url, mongodbUri, prefix: database });
    undo.push(podq.close);
    return { workers, podq, database };
  };

  const [first = 1, ...others] = sizes;
  const leading = await fleet(first, 0);
  const places = await makePods(leading.podq, pods, cluster.image);
  say(`${pods} pods run`);
  const fleets: Fleet[] = [leading];
  for (const [n, workers] of others.entries()) {
    const { database, ...next } = await fleet(workers, n + 1);
    await copyPods(mongo.uri, leading.database, database);
    fleets.push(next);
  }
  say(`workers run: ${sizes.join(" and ")}`);

  const { key } = loadKey({ text: privateKey });
  const pool = createPool({ host, port, username, key, hostKeys: createHostKeys({ file: knownHosts }) });
  undo.push(async () => pool.close({ graceMs: 1000 }));
  const execs = createExecs({ open: async (...call) => pool.open(...call), idleMs: 600_000 });
  undo.push(async () => execs.close());
  return { cluster, pool, execs, places, fleets };
}

// A limit on CPU that a command could meet would be measured instead of the way to it.
const resources = { memory: "256Mi", cpu: "2", memoryRequests: "10Mi", cpuRequests: "5m" };

async function makePods(podq: Podq, count: number, image: string): Promise<Place[]> {
  const make = async (_: unknown, n: number): Promise<Place> => {
    const project = `p${n}`;
    const { namespace, podName, podUid } = await (await podq.pod({ project }).create({ image, resources })).result();
    if (podName === null || podUid === null) throw new BenchError("wrong-result", `pod ${project} runs and has no name`);
    return { project, namespace, pod: podName, podUid };
  };
  return Promise.all(Array.from({ length: count }, make));
}

// All fleets work in the same pods; each has records of its own, so that none looks after another's jobs.
async function copyPods(uri: string, from: string, to: string): Promise<void> {
  const client = await MongoClient.connect(uri);
  try {
    await client
      .db(to)
      .collection("pods")
      .insertMany(await client.db(from).collection("pods").find().toArray());
  } finally {
    await client.close();
  }
}

async function removeNamespaces(cluster: TestCluster, installation: string, say: (line: string) => void): Promise<void> {
  const selector = ["--selector", `podq.dev/installation=${installation}`];
  const until = performance.now() + GONE_MS;
  await cluster.kubectl(["delete", "namespaces", ...selector, "--wait=false"]);
  // kubectl is given a minute by those who run it, which 20 namespaces may exceed: so it waits in turns.
  while (performance.now() < until) {
    const { stdout, code } = await cluster.kubectl(["get", "namespaces", ...selector, "-o", "name"]);
    if (code === 0 && stdout.trim() === "") return say("the pods are gone");
    await cluster.kubectl(["wait", "--for=delete", "namespaces", ...selector, "--timeout=30s"]);
  }
  throw new BenchError("wrong-result", `the namespaces of ${installation} did not go away; delete them by their label`);
}
