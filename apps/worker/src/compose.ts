import { createExecs, createPods, type Open, type Run } from "@podq/kube";
import { createHostKeys, createPool, loadKey, SshError } from "@podq/ssh";
import { openStore } from "@podq/store";
import type { Logger } from "pino";
import { ConfigError, type WorkerConfig } from "./config.ts";
import { startEngine } from "./engine.ts";
import { createHandler } from "./handlers/create.ts";
import { deleteHandler } from "./handlers/delete.ts";
import { execHandler } from "./handlers/exec.ts";

/** A running worker. */
export type Worker = {
  /** Takes nothing more, hands over what runs, and closes everything, in the reverse order of its start. */
  stop: () => Promise<void>;
};

/** Starts a worker: everything it is made of, wired on this one page. Throws what names the setting to mend. */
export async function startWorker(config: WorkerConfig, log: Logger): Promise<Worker> {
  const { host, port, username, knownHosts, trustNewHost, commands, sessions } = config.ssh;
  const { key, warnings } = readKey(config);
  for (const warning of warnings) log.warn(warning);

  const store = await openStore({
    uri: config.mongodbUri,
    appName: "podq-worker",
    retentionMs: config.retentionMs,
    maxBacklog: config.maxBacklog,
  });
  const hostKeys = createHostKeys({ file: knownHosts, trustOnFirstUse: trustNewHost });
  const pool = createPool({
    host,
    port,
    username,
    key,
    hostKeys,
    commands,
    channels: sessions,
    onEvent: (event) => log.debug(event, "ssh"),
  });
  const way = {
    run: async (...call: Parameters<Run>) => pool.run(...call),
    open: async (...call: Parameters<Open>) => pool.open(...call),
    kubectl: [config.kubectl],
  };
  const pods = createPods({ ...way, installation: config.installation });
  const { max: maxSessions, commands: maxRunsPerSession, idleMs } = config.sessions;
  const execs = createExecs({ ...way, maxSessions, maxRunsPerSession, idleMs, onEvent: (event) => log.debug(event, "exec") });

  const closeRest = async (): Promise<void> => {
    await execs.close();
    await pool.close({ graceMs: config.graceMs });
    await store.close();
  };
  const place = {
    installation: config.installation,
    host: { name: "default", address: host, port, username },
    accessHost: config.accessHost,
  };
  const engine = await startEngine(
    config,
    store,
    (line) => ({
      create: createHandler(store, pods, place),
      exec: execHandler({ store, line, pods, execs, place }),
      delete: deleteHandler(store, pods, place),
    }),
    log,
  ).catch(async (error: unknown) => {
    await closeRest();
    throw error;
  });
  log.info({ worker: engine.worker, ssh: `${username}@${host}:${port}`, concurrency: config.concurrency }, "worker is ready");

  return {
    async stop() {
      await engine.stop();
      await closeRest();
    },
  };
}

function readKey({ ssh }: WorkerConfig): ReturnType<typeof loadKey> {
  const { keyFile: file, keyString: text, passphrase } = ssh;
  try {
    return loadKey({ file, ...(text !== undefined && { text }), ...(passphrase !== undefined && { passphrase }) });
  } catch (error) {
    if (!(error instanceof SshError)) throw error;
    throw new ConfigError(`no usable key; see K8S_SSH_KEY_FILE and K8S_SSH_KEY_STRING: ${error.message}`, { cause: error });
  }
}
