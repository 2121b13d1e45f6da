import { createExecs, createPods, type ExecEvent, type Execs, type Open, type Pods, type Run } from "@podq/kube";
import type { Line } from "@podq/client/line";
import { createHostKeys, createPool, loadKey, SshError, type PoolEvent } from "@podq/ssh";
import type { Listener } from "@podq/queue";
import { openStore, type Store } from "@podq/store";
import type { Logger } from "pino";
import { ConfigError, type WorkerConfig } from "./config.ts";
import { startEngine } from "./engine.ts";
import type { Executor } from "./execute.ts";
import { createHandler } from "./handlers/create.ts";
import { deleteHandler } from "./handlers/delete.ts";
import { execHandler } from "./handlers/exec.ts";
import { startBacklog } from "./backlog.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { restartHandler, startHandler, stopHandler } from "./handlers/power.ts";
import { startOrphanSweeper } from "./orphans.ts";
import { nudging } from "./pod-nudges.ts";
import { serveMetrics } from "./serve-metrics.ts";
import { traceDial } from "./trace.ts";
import { watchedExecs, watchedWay } from "./way.ts";

const sweepsBetweenOrphans = 12;
const backlogMs = 10_000;
// By then all that used the pool has let go of it: what is left there hangs, and must not use up the time to stop in.
const poolGraceMs = 2_000;

/** A running worker. */
export type Worker = {
  /** Takes nothing more, hands over what runs, and closes everything, in the reverse order of its start. */
  stop: () => Promise<void>;
};

/** What jobs are worked on with: the seams at which a harness can stand between a worker and the world. */
export type Parts = { store: Store; pods: Pods; execs: Execs };

/**
 * Starts a worker: everything it is made of, wired on this one page. Throws what names the setting to mend. `through` may put
 * something else before each part; by default they are used as they are.
 */
export async function startWorker(config: WorkerConfig, log: Logger, through = (parts: Parts): Parts => parts): Promise<Worker> {
  const started = new AsyncDisposableStack();
  try {
    await wire(config, log, through, started);
  } catch (error) {
    await started.disposeAsync();
    throw error;
  }
  return { stop: async () => started.disposeAsync() };
}

async function wire(config: WorkerConfig, log: Logger, through: (parts: Parts) => Parts, started: AsyncDisposableStack): Promise<void> {
  const { host, port, username, knownHosts, trustNewHost, commands, sessions: channels } = config.ssh;
  const { key, warnings } = readKey(config);
  for (const warning of warnings) log.warn(warning);

  const { mongodbUri: uri, retentionMs, maxBacklog } = config;
  const store = started.adopt(await openStore({ uri, appName: "podq-worker", retentionMs, maxBacklog }), async (one) => one.close());
  const hostKeys = createHostKeys({ file: knownHosts, trustOnFirstUse: trustNewHost });
  const onEvent = (event: PoolEvent): void => {
    metrics.observer.ssh(event);
    if (event.event === "connected") traceDial(event.lane, event.ms);
    log.debug(event, "ssh");
  };
  const pool = started.adopt(createPool({ host, port, username, key, hostKeys, commands, channels, onEvent }), async (one) =>
    one.close({ graceMs: poolGraceMs }),
  );
  const metrics: Metrics = createMetrics(config, () => ({ ssh: pool.stats(), sessions: execs.stats() }));
  const { went } = metrics.observer;
  const way = watchedWay(
    {
      run: async (...call: Parameters<Run>) => pool.run(...call),
      open: async (...call: Parameters<Open>) => pool.open(...call),
      kubectl: [config.kubectl],
    },
    went,
  );
  const pods = createPods({ ...way, installation: config.installation });
  const onExecEvent = (event: ExecEvent): void => {
    metrics.observer.cut(event.obstacle);
    log.debug(event, "exec");
  };
  const { max: maxSessions, commands: maxRunsPerSession, idleMs } = config.sessions;
  const execs = started.adopt(createExecs({ ...way, maxSessions, maxRunsPerSession, idleMs, onEvent: onExecEvent }), async (one) =>
    one.close(),
  );

  if (config.metrics) {
    const endpoint = started.adopt(await serveMetrics(metrics, config.metrics), async (one) => one.stop());
    log.info({ url: endpoint.url }, "metrics are served");
  }
  const place = {
    installation: config.installation,
    host: { name: "default", address: host, port, username },
    accessHost: config.accessHost,
    journal: config.journalSize,
  };
  const parts = through({ store, pods, execs: watchedExecs(execs, went) });
  const handlersOf = (line: Line, listener: Listener): Executor["handlers"] => {
    const store = { ...parts.store, pods: nudging(parts.store.pods, line) };
    return {
      create: createHandler(store, parts.pods, place),
      exec: execHandler({ ...parts, store, line, listener, place, silenceMs: config.stdinSilenceMs }),
      stop: stopHandler(store, parts.pods, place),
      start: startHandler(store, parts.pods, place),
      restart: restartHandler(store, parts.pods, place),
      delete: deleteHandler(store, parts.pods, place),
    };
  };
  const engine = started.adopt(await startEngine(config, parts.store, handlersOf, log, metrics.observer), async (one) => one.stop());
  const everyMs = sweepsBetweenOrphans * config.sweepMs;
  started.adopt(startOrphanSweeper({ ...parts, worker: engine.worker, everyMs, log, observer: metrics.observer }), async (one) =>
    one.stop(),
  );
  if (config.metrics) {
    const looks = { store: parts.store, worker: engine.worker, everyMs: backlogMs, log, observer: metrics.observer };
    started.adopt(startBacklog(looks), async (one) => one.stop());
  }
  log.info({ worker: engine.worker, ssh: `${username}@${host}:${port}`, concurrency: config.concurrency }, "worker is ready");
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
