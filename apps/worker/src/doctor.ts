import { clusterId, createPods, KubeError, type KubeCode } from "@podq/kube";
import { connectRedis } from "@podq/queue";
import { createHostKeys, createPool, loadKey, type Exit, type Failure } from "@podq/ssh";
import { openStore } from "@podq/store";
import { readConfig, type WorkerConfig } from "./config.ts";
import { sharedClusters } from "./hosts/looks.ts";
import { tryNetwork } from "./hosts/network.ts";
import type { HostSettings, SshSettings } from "./hosts/settings.ts";
import type { Way } from "./way.ts";

/** One thing that a worker needs. `detail` says what was found, and if it is not fit what to do; with `warning` it is fit, and not all that was hoped for. */
export type Finding = { what: string; fit: boolean; detail: string; warning?: true };

const timeoutMs = 20_000;

/** Looks at everything that a worker with the settings of the environment needs, one after the other; what cannot be asked because of an earlier one is left out. */
export async function* examine({ network = false }: { network?: boolean } = {}): AsyncGenerator<Finding> {
  let config: WorkerConfig;
  try {
    config = readConfig();
  } catch (error) {
    return yield unfit("settings", error);
  }
  yield { what: "settings", fit: true, detail: "every variable can be used" };
  yield await attempt("Redis", async () => {
    const redis = await connectRedis(config.redisUrl, "caller");
    redis.disconnect();
    return "answers, keeps what it is given (noeviction)";
  });
  yield await attempt("MongoDB", async () => {
    const store = await openStore({ uri: config.mongodbUri, appName: "podq-doctor" });
    await store.close();
    return "answers, is a replica set, has podq's indexes";
  });
  const clusters: Cluster[] = [];
  for (const host of config.hosts)
    for await (const { what, ...found } of examineHost(host, config, clusters, network))
      yield { what: config.hostsFile === undefined ? what : `${host.name}: ${what}`, ...found };
  if (config.hosts.length > 1) yield judgeClusters(clusters);
}

type Cluster = { name: string; cluster: string };

function judgeClusters(clusters: readonly Cluster[]): Finding {
  const shared = sharedClusters(clusters);
  const detail = shared.length === 0 ? "each host has one of its own" : `${shared.join("; ")}. Name each cluster once in PODQ_HOSTS_FILE`;
  return { what: "clusters", fit: shared.length === 0, detail };
}

async function* examineHost(
  { name, ssh, kubectl }: HostSettings,
  config: WorkerConfig,
  clusters: Cluster[],
  network: boolean,
): AsyncGenerator<Finding> {
  const { hosts, installation, hostsFile, ingress } = config;
  const { host, port, username, knownHosts, trustNewHost, keyFile: file, keyString: text, passphrase } = ssh;
  let loaded: ReturnType<typeof loadKey>;
  try {
    loaded = loadKey({ file, ...(text !== undefined && { text }), ...(passphrase !== undefined && { passphrase }) });
  } catch (error) {
    return yield unfit("SSH key", error);
  }
  yield { what: "SSH key", fit: true, detail: loaded.warnings.join("; ") || "is usable" };
  const hostKeys = createHostKeys({ file: knownHosts, trustOnFirstUse: trustNewHost });
  const pool = createPool({ host, port, username, key: loaded.key, hostKeys });
  try {
    const login = await pool.run(["true"], { timeoutMs });
    const findings = judgeLogin(login, ssh, hostsFile);
    yield* findings;
    if (findings.some(({ fit }) => !fit)) return;
    const way: Way = {
      run: async (...call) => pool.run(...call),
      open: async (...call) => pool.open(...call),
      kubectl: [kubectl],
    };
    const pods = createPods({ ...way, installation, ingress });
    const cluster = await attempt("cluster", async () => {
      const {
        kubectl: client,
        server,
        missing,
      } = await pods.check({ timeoutMs }).catch((error: unknown) => {
        throw error instanceof KubeError ? new Error(`${error.message}. ${mends[error.code] ?? ""}`.trim(), { cause: error }) : error;
      });
      if (hosts.length > 1) clusters.push({ name, cluster: await clusterId(way, { timeoutMs }) });
      const versions = `kubectl ${client}, Kubernetes ${server}${skew(client, server)}`;
      if (missing === null) return `${versions}; it does not say which rights there are`;
      if (missing.length === 0) return `${versions}; all rights of rbac.yaml are there`;
      throw new Error(`${versions}; rights are missing: ${missing.join(", ")}. Apply packages/kube/rbac.yaml and bind it to this user`);
    });
    yield cluster;
    if (cluster.fit) yield await examineNetwork({ name, way }, config, network);
  } finally {
    await pool.close({ graceMs: 0 });
  }
}

// What is on record of the cluster's network, or what comes of trying it now.
async function examineNetwork(host: { name: string; way: Way }, config: WorkerConfig, tryNow: boolean): Promise<Finding> {
  const { mongodbUri: uri, installation, networkImage: image } = config;
  const what = "network";
  try {
    await using resources = new AsyncDisposableStack();
    const store = resources.adopt(await openStore({ uri, appName: "podq-doctor" }), async (one) => one.close());
    if (tryNow && image !== undefined) await tryNetwork(host, { store, installation, image });
    return judgeNetwork(await store.hosts.network(host.name), image);
  } catch (error) {
    return { what, fit: true, warning: true, detail: `nobody knows whether NetworkPolicies are enforced: ${String(error)}` };
  }
}

/** What is to be said of a cluster's network. Pods can be made without it: it is never unfit. */
export function judgeNetwork(trial: { enforced: boolean | null; detail: string; at: Date } | null, image: string | undefined): Finding {
  const what = "network";
  const how = image === undefined ? "set PODQ_NETWORK_IMAGE to an image to try it with" : "`podq doctor --network` tries it now";
  if (trial === null) return { what, fit: true, warning: true, detail: `it is not known whether NetworkPolicies are enforced: ${how}` };
  const seen = `${trial.detail} (${trial.at.toISOString()})`;
  if (trial.enforced === true) return { what, fit: true, detail: `NetworkPolicies are enforced: ${seen}` };
  if (trial.enforced === null)
    return { what, fit: true, warning: true, detail: `it is not known whether NetworkPolicies are enforced: ${seen}` };
  const mend = "What a pod's `network` denies is not kept from it: the cluster needs a network that enforces them, like Calico or Cilium";
  return { what, fit: true, warning: true, detail: `NetworkPolicies are NOT enforced: ${seen}. ${mend}` };
}

const mends: Partial<Record<KubeCode, string>> = {
  "kubectl-missing":
    "Install kubectl on the SSH host, where a shell without a terminal finds it, or name its path in PODQ_KUBECTL (`kubectl` in a hosts file)",
  "cluster-unreachable":
    "Log in to the SSH host as podq does and run `kubectl version`: its kubeconfig names another server, or that is away",
  forbidden: "kubectl has no or wrong credentials there: see the kubeconfig of this user (`kubectl auth whoami`)",
};

/** What one login tells of the host, of its key and of ours, in the order in which it meets them. */
export function judgeLogin(went: Exit | Failure, { host, port, username, knownHosts }: SshSettings, hostsFile?: string): Finding[] {
  const see = (variables: string, fields: string): string => (hostsFile === undefined ? variables : `${fields} in ${hostsFile}`);
  const where = `${host} port ${port}`;
  const answers = { what: "SSH host", fit: true, detail: `${where} answers` };
  const known = { what: "host key", fit: true, detail: `is the one in ${knownHosts}` };
  if (went.kind === "exit")
    return [
      answers,
      known,
      went.code === 0
        ? { what: "SSH login", fit: true, detail: `${username} is let in and can run commands` }
        : {
            what: "SSH login",
            fit: false,
            detail: `${username} is let in, and cannot run \`true\`: give it a shell, and no forced command`,
          },
    ];
  const { kind, message } = went;
  if (kind === "host-key")
    return [answers, { what: "host key", fit: false, detail: `${message}. Compare it with the host's own before you do` }];
  if (kind === "auth") {
    const detail = `${message}. Add the public half of the key (ssh-keygen -y) to ~${username}/.ssh/authorized_keys on it, or see ${see("K8S_SSH_USERNAME", "ssh.username")}`;
    return [answers, known, { what: "SSH login", fit: false, detail }];
  }
  return [
    {
      what: "SSH host",
      fit: false,
      detail: `${message}. See ${see("K8S_SSH_HOST and K8S_SSH_PORT", "ssh.host and ssh.port")}, and that sshd runs there`,
    },
  ];
}

const minor = (version: string): number => Number(/^v1\.(\d+)/.exec(version)?.[1] ?? Number.NaN);

/** Kubernetes promises that kubectl works with servers one minor version older or newer; what is further away is told. */
export function skew(client: string, server: string): string {
  const apart = Math.abs(minor(client) - minor(server));
  return apart > 1 ? ` (${apart} minor versions apart, where one is supported: install another kubectl on the SSH host)` : "";
}

async function attempt(what: string, look: () => Promise<string>): Promise<Finding> {
  try {
    return { what, fit: true, detail: await look() };
  } catch (error) {
    return unfit(what, error);
  }
}

function unfit(what: string, error: unknown): Finding {
  return { what, fit: false, detail: error instanceof Error ? error.message : String(error) };
}
