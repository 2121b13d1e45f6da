import { createExecs, createPods, type ExecEvent, type Execs, type Failure, type Pods, type SessionStats } from "@podq/kube";
import { createHostKeys, createPool, loadKey, SshError, type PoolEvent, type PoolStats } from "@podq/ssh";
import type { PodDocument } from "@podq/store";
import type { Logger } from "pino";
import { ConfigError } from "../config-error.ts";
import type { WorkerConfig } from "../config.ts";
import type { Place } from "../handlers/place.ts";
import type { Observer } from "../metrics.ts";
import { traceDial } from "../trace.ts";
import { watchedExecs, watchedWay, type Way } from "../way.ts";
import type { HostSettings } from "./settings.ts";

/** The numbers of one host, as far as this worker uses it. */
type HostUse = { ssh: PoolStats; sessions: SessionStats };

/** What jobs on a host are worked on with: its cluster's pods, the commands in them, and what is recorded of what is made there. */
export type HostParts = { pods: Pods; execs: Execs; place: Place };

/** A host that this worker works on, with the way to it. */
export type WorkHost = HostParts & {
  name: string;
  settings: HostSettings;
  way: Way;
  use: () => HostUse;
  /** Ends what is left there. */
  close: () => Promise<void>;
};

type Common = Pick<WorkerConfig, "installation" | "ingress" | "journalSize" | "sessions">;

// By then all that used the pool has let go of it: what is left there hangs, and must not use up the time to stop in.
const poolGraceMs = 2_000;

/** Makes the way to a host. Dials nothing yet. Throws ConfigError for a key that cannot be used. */
export function openHost(settings: HostSettings, config: Common, log: Logger, observer: () => Observer): WorkHost {
  const { name, ssh, labels, capacity, accessHost } = settings;
  const { host, port, username, knownHosts, trustNewHost, commands, sessions: channels } = ssh;
  const { key, warnings } = readKey(settings);
  for (const warning of warnings) log.warn({ host: name }, warning);
  const hostKeys = createHostKeys({ file: knownHosts, trustOnFirstUse: trustNewHost });
  const onEvent = (event: PoolEvent): void => {
    observer().ssh(name, event);
    if (event.event === "connected") traceDial(event.lane, event.ms);
    log.debug({ ...event, host: name }, "ssh");
  };
  const pool = createPool({ host, port, username, key, hostKeys, commands, channels, onEvent });
  const went: Observer["went"] = (...told) => observer().went(...told);
  const way = watchedWay(
    { run: async (...call) => pool.run(...call), open: async (...call) => pool.open(...call), kubectl: [settings.kubectl] },
    (done) => went(name, done),
  );
  const pods = createPods({ ...way, installation: config.installation, ingress: config.ingress });
  const execs = execsOn(way, config, (event) => {
    observer().cut(event.obstacle);
    log.debug({ ...event, host: name }, "exec");
  });
  return {
    name,
    settings,
    way,
    pods,
    execs: watchedExecs(execs, (done) => went(name, done)),
    place: {
      installation: config.installation,
      host: { name, address: host, port, username },
      accessHost,
      journal: config.journalSize,
      labels,
      capacity,
    },
    use: () => ({ ssh: pool.stats(), sessions: execs.stats() }),
    async close() {
      await execs.close();
      await pool.close({ graceMs: poolGraceMs });
    },
  };
}

/** What stands for a host that a pod is recorded on and that this worker does not know: nothing gets there, and every job says so. */
export function unknownHost(host: PodDocument["host"], config: Common): HostParts {
  const message = `host ${host.name} (${host.username}@${host.address}:${host.port}) is not among the hosts of this worker`;
  const away = async (): Promise<Failure> => ({ kind: "unavailable", message, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) });
  const way = { run: away, open: away, kubectl: ["kubectl"] };
  const { installation, journalSize: journal } = config;
  return {
    pods: createPods({ ...way, installation }),
    execs: execsOn(way, config, () => undefined),
    place: { installation, host, accessHost: undefined, journal, labels: {}, capacity: null },
  };
}

function execsOn(way: Way, { sessions }: Common, onEvent: (event: ExecEvent) => void): Execs {
  return createExecs({ ...way, maxSessions: sessions.max, maxRunsPerSession: sessions.commands, idleMs: sessions.idleMs, onEvent });
}

function readKey({ name, ssh }: HostSettings): ReturnType<typeof loadKey> {
  const { keyFile: file, keyString: text, passphrase } = ssh;
  try {
    return loadKey({ file, ...(text !== undefined && { text }), ...(passphrase !== undefined && { passphrase }) });
  } catch (error) {
    if (!(error instanceof SshError)) throw error;
    const where = name === "default" ? "K8S_SSH_KEY_FILE and K8S_SSH_KEY_STRING" : `ssh.keyFile of host ${name} in PODQ_HOSTS_FILE`;
    throw new ConfigError(`no usable key; see ${where}: ${error.message}`, { cause: error });
  }
}
