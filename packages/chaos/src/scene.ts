import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startMongo, startRedis, type Mongo, type Redis, startRelay, type Relay } from "@podq/devstack";
import { useTestCluster, type TestCluster } from "@podq/devstack/testing";
import { MongoClient, type Db } from "mongodb";
import { collectFromNetwork, collectInFolder, marksMount, type Collector } from "./collector.ts";
import { ChaosError } from "./errors.ts";

/** A service that can be killed and started again at the same place with what it had written. */
type Restartable = {
  port: number;
  pid: () => number;
  kill: () => Promise<void>;
  start: () => Promise<void>;
  stop: () => Promise<void>;
};

/** Everything that workers and producers stand on. */
export type Scene = {
  dir: string;
  cluster: TestCluster;
  installation: string;
  redis: Restartable & { url: string };
  mongo: Restartable & { uri: string };
  /** The run's own way to the records. */
  db: Db;
  relay: Relay;
  collector: Collector;
  /** The environment of a worker. */
  env: Record<string, string>;
  /** Ends all of it. `keep`: leaves the logs. */
  close: (keep: boolean) => Promise<void>;
};

/** Key prefix in Redis. */
export const prefix = "chaos";

/** Starts the services. What was started is ended again if one fails. */
export async function openScene(env: Record<string, string>): Promise<Scene> {
  const undo: (() => Promise<unknown>)[] = [];
  const dir = await mkdtemp(join(tmpdir(), "podq-chaos-"));
  const close = async (keep: boolean): Promise<void> => {
    for (const one of undo.splice(0).toReversed()) await one();
    for (const part of keep ? ["redis", "mongo", "marks"] : ["."]) await rm(join(dir, part), { recursive: true, force: true });
  };
  try {
    await mkdir(join(dir, "marks"));
    const cluster = await useTestCluster({ binds: [{ from: join(dir, "marks"), to: marksMount }] });
    undo.push(cluster.stop);
    const redis = await restartable(async (port) => startRedis({ dir: join(dir, "redis"), ...(port !== undefined && { port }) }), undo);
    const mongo = await restartable(async (port) => startMongo({ dir: join(dir, "mongo"), ...(port !== undefined && { port }) }), undo);
    const collector = await collectorFor(cluster, join(dir, "marks"));
    undo.push(collector.stop);
    const relay = await startRelay(cluster.ssh);
    undo.push(relay.stop);
    const installation = `c${randomBytes(4).toString("hex")}`;
    const uri = `mongodb://127.0.0.1:${mongo.port}/podq?replicaSet=rs0`;
    const client = await MongoClient.connect(uri);
    undo.push(async () => client.close());
    const access = await accessFiles(dir, cluster, relay.port);
    return {
      dir,
      cluster,
      installation,
      redis: { ...redis, url: `redis://127.0.0.1:${redis.port}` },
      mongo: { ...mongo, uri },
      db: client.db(),
      relay,
      collector,
      env: {
        REDIS_URL: `redis://127.0.0.1:${redis.port}`,
        MONGODB_URI: uri,
        PODQ_PREFIX: prefix,
        PODQ_INSTALLATION: installation,
        PODQ_LOG_LEVEL: "debug",
        ...access,
        ...env,
      },
      close,
    };
  } catch (error) {
    await close(false);
    throw error;
  }
}

async function restartable(start: (port?: number) => Promise<Redis | Mongo>, undo: (() => Promise<unknown>)[]): Promise<Restartable> {
  let running: Redis | Mongo = await start();
  const { port } = running;
  const stop = async (): Promise<void> => running.kill();
  undo.push(stop);
  return {
    port,
    pid: () => running.pid,
    kill: async () => running.kill(),
    start: async () => {
      running = await start(port);
    },
    stop,
  };
}

async function collectorFor(cluster: TestCluster, dir: string): Promise<Collector> {
  if (cluster.embedded !== undefined) return collectInFolder(dir, cluster.embedded.isolated ? marksMount : dir);
  const { code, stdout, stderr } = await cluster.kubectl(["get", "nodes", "-o", "json"]);
  if (code !== 0) throw new ChaosError("not-set-up", `the cluster does not say where its node is: ${stderr}`);
  type Nodes = { items: { status: { addresses: { type: string; address: string }[] } }[] };
  const [node] = (JSON.parse(stdout) as Nodes).items;
  const address = node?.status.addresses.find(({ type }) => type === "InternalIP")?.address;
  if (address === undefined) throw new ChaosError("not-set-up", "the cluster's node has no address");
  return collectFromNetwork(address);
}

// The relay has the host's key, and a port of its own.
async function accessFiles(dir: string, { ssh }: TestCluster, port: number): Promise<Record<string, string>> {
  const known = (await readFile(ssh.knownHosts, "utf8")).split("\n").flatMap((line) => {
    const [hosts, type, key] = line.split(/\s+/);
    return hosts === undefined || hosts.startsWith("#") || key === undefined ? [] : [`[127.0.0.1]:${port} ${type} ${key}`];
  });
  await writeFile(join(dir, "known_hosts"), `${known.join("\n")}\n`);
  await writeFile(join(dir, "key"), ssh.privateKey, { mode: 0o600 });
  return {
    K8S_SSH_HOST: "127.0.0.1",
    K8S_SSH_PORT: String(port),
    K8S_SSH_USERNAME: ssh.username,
    K8S_SSH_KEY_FILE: join(dir, "key"),
    K8S_SSH_KNOWN_HOSTS: join(dir, "known_hosts"),
  };
}
