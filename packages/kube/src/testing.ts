// What the cluster suites stand on. Not exported from the package.
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { useTestCluster } from "@podq/devstack/testing";
import type { TestCluster } from "@podq/devstack/testing";
import { createHostKeys, createPool, loadKey } from "@podq/ssh";
import type { Pool } from "@podq/ssh";
import type { PodSpec } from "./manifest.ts";
import { label, podNames } from "./names.ts";
import type { PodIdentity } from "./names.ts";
import { createPods } from "./pods.ts";
import type { Pods } from "./pods.ts";

/** A cluster behind SSH, with an installation of its own on it. */
export type ClusterFixture = {
  cluster: TestCluster;
  pool: Pool;
  pods: Pods;
  installation: string;
  /** Names of a pod that no other test has; the same `id` again is the same pod. */
  identity(id: string, generation?: number): PodIdentity;
  /** A small spec that runs. */
  spec(change?: Partial<PodSpec>): PodSpec;
  /** kubectl as administrator; throws if it fails. */
  admin(args: readonly string[], stdin?: string): Promise<string>;
  /** Lets the installation's namespaces be deleted, and ends the connections. */
  stop(): Promise<void>;
};

/** The URLs of pods that ask for an ingress there. */
export const ingressUrl = "https://{port}-{pod}.apps.example.org";

/** Connects to the cluster that the environment chooses; `options` are for the embedded one. */
export async function clusterFixture(options?: Parameters<typeof useTestCluster>[0]): Promise<ClusterFixture> {
  const cluster = await useTestCluster(options);
  const { host, port, username, privateKey, knownHosts } = cluster.ssh;
  const { key } = loadKey({ text: privateKey });
  const pool = createPool({ host, port, username, key, hostKeys: createHostKeys({ file: knownHosts }) });
  const installation = `t${randomBytes(4).toString("hex")}`;

  async function admin(args: readonly string[], stdin?: string): Promise<string> {
    const { code, stdout, stderr } = await cluster.kubectl(args, stdin);
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  return {
    cluster,
    pool,
    installation,
    admin,
    pods: createPods({ ...pool, installation, ingress: { url: ingressUrl, className: "podq-test" } }),
    identity: (id, generation = 1) => podNames({ installation, kind: "project", id, name: "default", generation }),
    spec: (change) => ({
      image: cluster.image,
      resources: { memory: "32Mi", cpu: "50m", memoryRequests: "10Mi", cpuRequests: "5m" },
      ...change,
    }),
    async stop() {
      await admin(["delete", "namespaces", "--selector", `${label.installation}=${installation}`, "--wait=false"]);
      await pool.close();
      await cluster.stop();
    },
  };
}

/** Asks until the answer is not undefined; throws after `timeoutMs` (default 20 s). */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined>, timeoutMs = 20_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`gave up after ${timeoutMs} ms: ${what}`);
    await delay(100);
  }
}
