import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kubectlBinary } from "./binaries.ts";
import type { ClusterOptions, EmbeddedCluster } from "./cluster/cluster.ts";
import { DevstackError } from "./errors.ts";
import { startHost } from "./stack.ts";

export { pythonPackages } from "./python.ts";

/** The cluster that a suite runs on, behind an SSH host: the embedded one, or a real one. */
export type TestCluster = {
  kind: "embedded" | "real";
  /** The way in that podq takes; `privateKey` is the key's text, `knownHosts` a file. */
  ssh: { host: string; port: number; username: string; privateKey: string; knownHosts: string };
  /** An image with a shell, the same under another tag, and one without a shell. */
  image: string;
  image2: string;
  imageNoShell: string;
  /** The embedded cluster itself, for faults that only it can play; undefined on a real one. */
  embedded: EmbeddedCluster | undefined;
  /** An administrator's way in, past SSH, for a test's own assertions. */
  kubectl: (args: readonly string[], stdin?: string) => Promise<{ code: number; stdout: string; stderr: string }>;
  stop: () => Promise<void>;
};

/**
 * The cluster for a suite that every cluster must pass: the embedded one, or with PODQ_TEST_CLUSTER=real the one that
 * K8S_SSH_* and PODQ_TEST_* of the environment describe. `options` are for the embedded one.
 */
export async function useTestCluster(options?: ClusterOptions): Promise<TestCluster> {
  return process.env.PODQ_TEST_CLUSTER === "real" ? realCluster() : embeddedCluster(options);
}

// Long enough that a test on a busy machine meets a namespace that is terminating and still full.
const NAMESPACE_DELAY_MS = 1500;

async function embeddedCluster(options?: ClusterOptions): Promise<TestCluster> {
  const [{ cluster, ssh, stop }, kubectl] = await Promise.all([
    startHost({ namespaceDelayMs: NAMESPACE_DELAY_MS, ...options }),
    kubectlBinary(),
  ]);
  const dir = await mkdtemp(join(tmpdir(), "podq-test-"));
  const knownHosts = join(dir, "known_hosts");
  await writeFile(knownHosts, `${ssh.knownHosts}\n`);
  const { host, port, username, privateKey } = ssh;
  return {
    kind: "embedded",
    ssh: { host, port, username, privateKey, knownHosts },
    image: "localhost/workspace:1",
    image2: "localhost/workspace:2",
    imageNoShell: "localhost/noshell:1",
    embedded: cluster,
    kubectl: runner(kubectl, cluster.kubeconfig, dir),
    stop: async () => {
      await stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function realCluster(): Promise<TestCluster> {
  const dir = await mkdtemp(join(tmpdir(), "podq-test-"));
  return {
    kind: "real",
    ssh: {
      host: needed("K8S_SSH_HOST"),
      port: Number(needed("K8S_SSH_PORT")),
      username: needed("K8S_SSH_USERNAME"),
      privateKey: readFileSync(needed("K8S_SSH_KEY_FILE"), "utf8"),
      knownHosts: needed("K8S_SSH_KNOWN_HOSTS"),
    },
    image: needed("PODQ_TEST_IMAGE"),
    image2: needed("PODQ_TEST_IMAGE_2"),
    imageNoShell: needed("PODQ_TEST_IMAGE_NO_SHELL"),
    embedded: undefined,
    kubectl: runner(needed("PODQ_TEST_KUBECTL"), needed("PODQ_TEST_KUBECONFIG"), dir),
    stop: () => rm(dir, { recursive: true, force: true }),
  };
}

function needed(name: string): string {
  const value = process.env[name];
  if (value) return value;
  throw new DevstackError("bad-argument", `${name} is not set: a suite on a real cluster needs what describes that cluster`);
}

function runner(kubectl: string, kubeconfig: string, cacheDir: string): TestCluster["kubectl"] {
  return (args, stdin) =>
    new Promise((resolve) => {
      const options = { maxBuffer: 256 * 1024 * 1024, timeout: 60_000 };
      const child = execFile(kubectl, ["--kubeconfig", kubeconfig, "--cache-dir", cacheDir, ...args], options, (error, stdout, stderr) => {
        const code = error ? (typeof error.code === "number" ? error.code : -1) : 0;
        resolve({ code, stdout, stderr });
      });
      child.stdin?.on("error", () => {});
      child.stdin?.end(stdin ?? "");
    });
}
