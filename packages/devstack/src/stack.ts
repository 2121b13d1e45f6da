import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startCluster } from "./cluster/cluster.ts";
import type { ClusterOptions, EmbeddedCluster } from "./cluster/cluster.ts";
import { makeHostEnv } from "./host-env.ts";
import { startMongo } from "./mongo.ts";
import type { Mongo } from "./mongo.ts";
import { startRedis } from "./redis.ts";
import type { Redis } from "./redis.ts";
import { startSshHost } from "./ssh-host.ts";
import type { SshHost } from "./ssh-host.ts";

/** Options of `startStack`: with `dir`, the data of Redis and MongoDB last there; `cluster` is for the cluster. */
export type StackOptions = { dir?: string; cluster?: ClusterOptions };

/** Everything that podq needs, on this machine. */
export type Stack = {
  redisUrl: string;
  mongodbUri: string;
  /** What a worker's configuration is read from: REDIS_URL, MONGODB_URI, K8S_SSH_*. */
  env: Record<string, string>;
  redis: Redis;
  mongo: Mongo;
  cluster: EmbeddedCluster;
  ssh: SshHost;
  /** Ends all of it. */
  stop: () => Promise<void>;
};

/** Starts Redis, MongoDB, a cluster and an SSH host that reaches it. Nothing outlives this process. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const undo: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const one of undo.splice(0).toReversed()) await one();
  };
  const own = <T extends { stop: () => Promise<void> }>(started: T): T => {
    undo.push(started.stop);
    return started;
  };
  try {
    const data = (name: string): { dir?: string } => (options.dir === undefined ? {} : { dir: join(options.dir, name) });
    const [redis, mongo, clustered] = await allOrNone([
      startRedis(data("redis")).then(own),
      startMongo(data("mongo")).then(own),
      startHost(options.cluster).then(own),
    ]);
    const { cluster, ssh, home } = clustered;
    const files = { key: join(home, ".ssh", "id_ed25519"), knownHosts: join(home, ".ssh", "known_hosts") };
    await mkdir(join(home, ".ssh"), { mode: 0o700 });
    await writeFile(files.key, ssh.privateKey, { mode: 0o600 });
    await writeFile(files.knownHosts, `${ssh.knownHosts}\n`);
    const env = {
      REDIS_URL: redis.url,
      MONGODB_URI: withDatabase(mongo.uri, "podq"),
      K8S_SSH_HOST: ssh.host,
      K8S_SSH_PORT: String(ssh.port),
      K8S_SSH_USERNAME: ssh.username,
      K8S_SSH_KEY_FILE: files.key,
      K8S_SSH_KNOWN_HOSTS: files.knownHosts,
    };
    return { redisUrl: redis.url, mongodbUri: env.MONGODB_URI, env, redis, mongo, cluster, ssh, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A cluster, and an SSH host whose kubectl talks to it. */
export type Host = { cluster: EmbeddedCluster; ssh: SshHost; home: string; stop: () => Promise<void> };

/** Starts a cluster and an SSH host that reaches it. */
export async function startHost(options?: ClusterOptions): Promise<Host> {
  const cluster = await startCluster(options);
  const { env, home } = await makeHostEnv(cluster.kubeconfig);
  const ssh = await startSshHost({ env });
  return {
    cluster,
    ssh,
    home,
    stop: async () => {
      await ssh.stop();
      await cluster.stop();
    },
  };
}

// Waits for all even if one fails: what the others have started by then must be known, to be ended.
async function allOrNone<A, B, C>(all: [Promise<A>, Promise<B>, Promise<C>]): Promise<[A, B, C]> {
  await Promise.allSettled(all);
  return Promise.all(all);
}

function withDatabase(uri: string, name: string): string {
  const url = new URL(uri);
  url.pathname = `/${name}`;
  return url.href;
}
