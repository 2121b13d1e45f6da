import type { Line } from "@podq/client/line";
import type { Execs, Pods } from "@podq/kube";
import type { Listener } from "@podq/queue";
import { openStore, type Store } from "@podq/store";
import type { Logger } from "pino";
import { startBacklog } from "./backlog.ts";
import type { WorkerConfig } from "./config.ts";
import { startEngine } from "./engine.ts";
import type { Executor } from "./execute.ts";
import { createHandler } from "./handlers/create.ts";
import { deleteHandler } from "./handlers/delete.ts";
import { execHandler } from "./handlers/exec.ts";
import { exposeHandler, unexposeHandler } from "./handlers/ports.ts";
import { restartHandler, startHandler, stopHandler } from "./handlers/power.ts";
import { onTemplates } from "./handlers/template.ts";
import { byHost } from "./hosts/by-host.ts";
import { refuseSharedClusters, startHostLooks } from "./hosts/looks.ts";
import { startNetworkTrials } from "./hosts/network.ts";
import { openHost, unknownHost } from "./hosts/open.ts";
import { createPlacer } from "./hosts/placer.ts";
import type { Shares } from "./hosts/shares.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { startOrphanSweeper } from "./orphans.ts";
import { nudging, nudgingAdmissions } from "./pod-nudges.ts";
import { createReconciler, type Reconciler } from "./reconcile/reconciler.ts";
import { startReconciling } from "./reconcile/start.ts";
import { serveMetrics } from "./serve-metrics.ts";

const sweepsBetweenOrphans = 20;
const backlogMs = 10_000;
const hostLookMs = 15_000;

/** A running worker. */
export type Worker = {
  /** Takes nothing more, hands over what runs, and closes everything, in the reverse order of its start. */
  stop: () => Promise<void>;
};

/** What jobs on a host are worked on with: the seams at which a harness can stand between a worker and the world. */
export type Parts = { store: Store; pods: Pods; execs: Execs };

/**
 * Starts a worker: everything it is made of, wired on this one page. Throws what names the setting to mend. `through` may put
 * something else before each part, host by host; by default they are used as they are.
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
  const { mongodbUri: uri, retentionMs, maxBacklog } = config;
  const opened = started.adopt(await openStore({ uri, appName: "podq-worker", retentionMs, maxBacklog }), async (one) => one.close());
  const reached = config.hosts.map((host) => openHost(host, config, log, () => metrics.observer));
  started.defer(async () => void (await Promise.all(reached.map(async (host) => host.close()))));
  const metrics: Metrics = createMetrics(config, () =>
    reached.map(({ name, use }) => ({ host: name, ...use(), reconciler: reconcilers.get(name)?.stats() ?? null })),
  );
  const reconcilers = new Map<string, Reconciler>();
  if (config.metrics) {
    const endpoint = started.adopt(await serveMetrics(metrics, config.metrics), async (one) => one.stop());
    log.info({ url: endpoint.url }, "metrics are served");
  }

  await refuseSharedClusters(reached);

  const hosts = reached.map((host) => ({ ...host, ...through({ store: opened, pods: host.pods, execs: host.execs }) }));
  const { store } = hosts[0]!;
  const handlersOf = (line: Line, listener: Listener, shares: Shares | undefined): Executor["handlers"] => {
    const told = { ...store, pods: nudging(store.pods, line), admissions: nudgingAdmissions(store.admissions, line) };
    const handlers = byHost({
      hosts,
      shares,
      place: createPlacer(hosts, async () => store.hosts.countPods(), shares?.isFree),
      unknown: (host) => unknownHost(host, config),
      handlersOf: ({ pods, execs, place }) => ({
        create: createHandler(told, pods, place, config.ownerLimits),
        exec: execHandler({ store: told, pods, execs, line, listener, place, silenceMs: config.stdinSilenceMs }),
        stop: stopHandler(told, pods, place),
        start: startHandler(told, pods, place),
        restart: restartHandler(told, pods, place),
        expose: exposeHandler(told, pods, place),
        unexpose: unexposeHandler(told, pods, place),
        delete: deleteHandler(told, pods, place),
      }),
    });
    return { ...handlers, create: onTemplates(store, handlers.create) };
  };
  const engine = started.adopt(await startEngine(config, store, handlersOf, log, metrics.observer), async (one) => one.stop());
  const duty = { store, worker: engine.worker, log, observer: metrics.observer };
  started.adopt(startHostLooks({ ...duty, hosts, everyMs: hostLookMs }), async (one) => one.stop());
  const { everyMs: tickMs, passEveryMs, orphanGraceMs: graceMs } = config.reconcile;
  const changed = (podKey: string): void => void engine.line.nudge(podKey);
  const { networkImage: image, installation } = config;
  if (image !== undefined)
    started.adopt(startNetworkTrials({ ...duty, hosts, installation, image, everyMs: hostLookMs }), async (one) => one.stop());
  for (const { name, pods, place } of hosts) {
    const everyMs = sweepsBetweenOrphans * config.sweepMs;
    started.adopt(startOrphanSweeper({ ...duty, pods, host: name, everyMs, graceMs }), async (one) => one.stop());
    const reconciler = createReconciler({ ...duty, pods, place, changed, passEveryMs });
    reconcilers.set(name, reconciler);
    // Not waited for: a host that hangs is no reason to hand over jobs any later.
    started.adopt(startReconciling(name, { ...duty, reconciler, everyMs: tickMs }), (one) => void one.stop());
  }
  if (config.metrics) started.adopt(startBacklog({ ...duty, everyMs: backlogMs }), async (one) => one.stop());
  const ssh = config.hosts.map(({ name, ssh: { username, host, port } }) => `${name}: ${username}@${host}:${port}`);
  log.info({ worker: engine.worker, hosts: ssh, concurrency: config.concurrency }, "worker is ready");
}
