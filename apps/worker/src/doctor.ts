import { createPods } from "@podq/kube";
import { connectRedis } from "@podq/queue";
import { createHostKeys, createPool, loadKey } from "@podq/ssh";
import { openStore } from "@podq/store";
import { readConfig, type WorkerConfig } from "./config.ts";

/** One thing that a worker needs. `detail` says what was found, and if it is not fit what to do. */
export type Finding = { what: string; fit: boolean; detail: string };

const timeoutMs = 20_000;

/** Looks at everything that a worker with the settings of the environment needs, one after the other; what cannot be asked because of an earlier one is left out. */
export async function* examine(): AsyncGenerator<Finding> {
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
  yield* examineHost(config);
}

async function* examineHost({ ssh, kubectl, installation }: WorkerConfig): AsyncGenerator<Finding> {
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
    const login = await attempt("SSH login", async () => {
      const went = await pool.run(["true"], { timeoutMs });
      if (went.kind !== "exit" || went.code !== 0)
        throw new Error(went.kind === "exit" ? `${username}@${host} cannot run \`true\`` : went.message);
      return `${username}@${host}:${port} lets us in, and its key is known`;
    });
    yield login;
    if (!login.fit) return;
    const pods = createPods({
      run: async (...call) => pool.run(...call),
      open: async (...call) => pool.open(...call),
      kubectl: [kubectl],
      installation,
    });
    yield await attempt("cluster", async () => {
      const { kubectl: client, server, missing } = await pods.check({ timeoutMs });
      const versions = `kubectl ${client}, Kubernetes ${server}`;
      if (missing === null) return `${versions}; it does not say which rights there are`;
      if (missing.length === 0) return `${versions}; all rights of rbac.yaml are there`;
      throw new Error(`${versions}; rights are missing: ${missing.join(", ")}. Apply packages/kube/rbac.yaml and bind it to this user`);
    });
  } finally {
    await pool.close({ graceMs: 0 });
  }
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
