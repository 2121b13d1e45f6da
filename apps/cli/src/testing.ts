// What the tests of the command share: a cluster, a database and a queue of their own, `podq` as a real process.
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect, type Podq } from "@podq/client";
import { useTestCluster, type TestCluster } from "@podq/devstack/testing";
import { inject } from "vitest";

/** How a command ended and what it wrote. */
type Ran = { code: number | null; stdout: string; stderr: string };

/** A whole podq, but for its workers, which a test starts and ends itself. */
export type Scene = {
  cluster: TestCluster;
  podq: Podq;
  installation: string;
  /** A folder for the test's own files, which goes with the scene. */
  dir: string;
  /** Resources that many pods fit into. */
  small: { memory: string; cpu: string; memoryRequests: string; cpuRequests: string };
  /** Runs `podq ARGS` to its end; `env` is on top of the scene's own. */
  cli: (args: readonly string[], env?: Record<string, string>, stdin?: string | Uint8Array) => Promise<Ran>;
  /** Starts `podq ARGS`, for the test to talk to. */
  start: (args: readonly string[], env?: Record<string, string>) => ChildProcess;
  /** Runs a TypeScript module of a service that uses the SDK. */
  service: (code: string) => Promise<Ran>;
  /** Starts such a module, for the test to end; it is given the scene's settings in its environment. */
  startService: (code: string) => ChildProcess;
  /** Starts `podq worker`, and resolves when it is ready, with what it had logged by then. */
  startWorker: (env?: Record<string, string>) => Promise<ChildProcess & { log: string }>;
  /** Ends an orderly process that this scene has started, and waits for it. */
  end: (server: ChildProcess) => Promise<void>;
  /** Starts `podq api` on a port of its own, and resolves with its address when it is ready. */
  startApi: (env?: Record<string, string>) => Promise<{ url: string; log: () => string }>;
  stop: () => Promise<void>;
};

const main = join(import.meta.dirname, "main.ts");

/** Sets the scene. Leases are short, so that what a dead worker held is picked up within seconds. */
export async function setScene(options?: Parameters<typeof useTestCluster>[0]): Promise<Scene> {
  const { redisUrl, mongodbUri } = inject("services");
  const installation = `t${randomBytes(4).toString("hex")}`;
  const uri = new URL(mongodbUri);
  uri.pathname = `/${installation}`;
  const cluster = await useTestCluster(options);
  const dir = await mkdtemp(join(tmpdir(), "podq-scene-"));
  const keyFile = join(dir, "key");
  await writeFile(keyFile, cluster.ssh.privateKey, { mode: 0o600 });
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: dir,
    ...(process.env.NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }),
    REDIS_URL: redisUrl,
    MONGODB_URI: uri.href,
    PODQ_PREFIX: installation,
    PODQ_INSTALLATION: installation,
    PODQ_LEASE_MS: "2000",
    PODQ_STALL_CHECK_MS: "500",
    PODQ_SWEEP_MS: "500",
    K8S_SSH_HOST: cluster.ssh.host,
    K8S_SSH_PORT: String(cluster.ssh.port),
    K8S_SSH_USERNAME: cluster.ssh.username,
    K8S_SSH_KEY_FILE: keyFile,
    K8S_SSH_KNOWN_HOSTS: cluster.ssh.knownHosts,
  };
  const podq = await connect({ redisUrl, mongodbUri: uri.href, prefix: installation });
  const servers: ChildProcess[] = [];
  const node = (args: readonly string[], extra: Record<string, string> = {}): ChildProcess =>
    spawn(process.execPath, args, { cwd: import.meta.dirname, env: { ...env, ...extra }, stdio: "pipe" });

  const said = async (server: ChildProcess, words: RegExp): Promise<() => string> => {
    servers.push(server);
    let log = "";
    const ready = Promise.withResolvers<void>();
    server.stderr?.on("data", (chunk: Buffer) => {
      log += chunk.toString();
      if (words.test(log)) ready.resolve();
    });
    server.once("exit", () => ready.reject(new Error(`it did not start: ${log}`)));
    await ready.promise;
    return () => log;
  };

  return {
    cluster,
    podq,
    installation,
    dir,
    end: async (server) => endProcess(server, "SIGTERM"),
    small: { memory: "64Mi", cpu: "200m", memoryRequests: "10Mi", cpuRequests: "5m" },
    cli: async (args, extra, stdin = "") => finish(node([main, ...args], extra), stdin),
    start(args, extra) {
      const started = node([main, ...args], extra);
      servers.push(started); // should the test fail before it has ended it
      return started;
    },
    service: async (code) => finish(node(["--input-type=module-typescript", "-e", code]), ""),
    startService: (code) => node(["--input-type=module-typescript", "-e", code]),
    async startWorker(extra) {
      const worker = node([main, "worker"], extra);
      const log = await said(worker, /worker is ready/);
      return Object.assign(worker, { log: log() });
    },
    async startApi(extra) {
      const log = await said(node([main, "api"], { PODQ_API_PORT: "0", ...extra }), /the API is ready/);
      return { url: /"url":"([^"]+)"/.exec(log())![1]!, log };
    },
    async stop() {
      await Promise.all(servers.map(async (server) => endProcess(server, "SIGTERM")));
      await podq.close();
      await cluster.kubectl(["delete", "namespaces", "--selector", `podq.dev/installation=${installation}`, "--wait=false"]);
      await cluster.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function finish(child: ChildProcess, stdin: string | Uint8Array): Promise<Ran> {
  child.stdin?.end(stdin);
  const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, "close")]);
  return { code: child.exitCode, stdout, stderr };
}

/** Ends a process, and waits until it is gone. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, "exit");
  child.kill(signal);
  await closed;
}

/** A port of this machine that nobody listens at now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
