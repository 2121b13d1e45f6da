import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { SessionStats } from "@podq/kube";
import type { PoolStats } from "@podq/ssh";
import type { JobDocument } from "@podq/store";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { ConfigError, type WorkerConfig } from "./config.ts";
import type { Outcome } from "./outcome.ts";

/** Told of what a worker does, to count it. Never throws. */
export type Observer = {
  /** An attempt begins; the returned function is called once when it is over. */
  attempt: (job: JobDocument) => (outcome: Outcome) => void;
  /** The sweeper found jobs that nobody was running, or whose deadline had passed. */
  swept: (found: { stranded: number; expired: number }) => void;
  /** A command's session was cut, for a reason of this kind. */
  cut: (obstacle: string) => void;
};

/** A worker's numbers, in the format that Prometheus reads. */
export type Metrics = { observer: Observer; text: () => Promise<string> };

const waitBuckets = [0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800];
const attemptBuckets = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 120, 600, 3_600];

const bound = ({ connections, channels }: { connections: number; channels: number }): number => connections * channels;

/** Counts what `observer` is told, and reads the bounds and how they are used when it is asked. Labels are words of podq's own. */
export function createMetrics(config: WorkerConfig, use: () => { ssh: PoolStats; sessions: SessionStats }): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const wait = new Histogram({
    name: "podq_job_wait_seconds",
    help: "From the enqueue to the first attempt",
    labelNames: ["kind"],
    buckets: waitBuckets,
    registers,
  });
  const attempts = new Histogram({
    name: "podq_attempt_seconds",
    help: "One attempt, and what came of it: a state, retry, release (left to another worker) or fenced (another worker had it)",
    labelNames: ["kind", "outcome"],
    buckets: attemptBuckets,
    registers,
  });
  const ends = new Counter({ name: "podq_jobs_ended_total", help: "Jobs ended here", labelNames: ["kind", "state", "code"], registers });
  const running = new Gauge({ name: "podq_jobs_running", help: "Attempts under way", labelNames: ["kind"], registers });
  const stranded = new Counter({ name: "podq_sweeper_stranded_total", help: "Jobs that the sweeper woke", registers });
  const expired = new Counter({ name: "podq_sweeper_expired_total", help: "Jobs whose deadline passed in line", registers });
  const cuts = new Counter({ name: "podq_exec_cuts_total", help: "Sessions lost under a command", labelNames: ["obstacle"], registers });

  const read = (name: string, help: string, value: () => number | Record<string, number>): void => {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames: ["lane"],
      registers,
      collect() {
        const now = value();
        if (typeof now === "number") gauge.set(now);
        else for (const [lane, one] of Object.entries(now)) gauge.set({ lane }, one);
      },
    });
  };
  const lanes = (key: keyof PoolStats["commands"]) => (): Record<string, number> => {
    const { commands, channels } = use().ssh;
    return { commands: commands[key], sessions: channels[key] };
  };
  read("podq_jobs_limit", "Jobs at once", () => config.concurrency);
  read("podq_ssh_connections", "Connections to the host", lanes("connections"));
  read("podq_ssh_channels_busy", "Channels in use", lanes("busy"));
  read("podq_ssh_waiting", "Waiting for a channel", lanes("waiting"));
  read("podq_ssh_dials", "Connections dialled so far", lanes("dials"));
  read("podq_ssh_dial_failures", "Dials that failed so far", lanes("failures"));
  read("podq_ssh_channels_limit", "Channels that may be in use at once", () => ({
    commands: bound(config.ssh.commands),
    sessions: bound(config.ssh.sessions),
  }));
  read("podq_exec_sessions", "Sessions kept to pods", () => use().sessions.sessions);
  read("podq_exec_sessions_busy", "Sessions with a command in them", () => use().sessions.busy);
  read("podq_exec_sessions_waiting", "Commands that wait for a session", () => use().sessions.waiting);
  read("podq_exec_sessions_opened", "Sessions opened so far", () => use().sessions.opened);
  read("podq_exec_sessions_limit", "Sessions kept at once", () => config.sessions.max);
  read("podq_exec_session_commands_limit", "Commands at once in a session", () => config.sessions.commands);

  return {
    text: async () => registry.metrics(),
    observer: {
      attempt({ kind, attempt, createdAt }) {
        if (attempt === 1) wait.observe({ kind }, Math.max(0, Date.now() - createdAt.getTime()) / 1_000);
        running.inc({ kind });
        const stop = attempts.startTimer({ kind });
        return (outcome) => {
          running.dec({ kind });
          stop({ outcome: outcome.kind === "end" ? outcome.state : outcome.kind });
          if (outcome.kind === "end") ends.inc({ kind, state: outcome.state, code: outcome.error?.code ?? "" });
        };
      },
      swept(found) {
        stranded.inc(found.stranded);
        expired.inc(found.expired);
      },
      cut: (obstacle) => cuts.inc({ obstacle }),
    },
  };
}

/** Serves `/metrics` and `/healthz`. Throws ConfigError when the address cannot be had. */
export async function serveMetrics(
  metrics: Pick<Metrics, "text">,
  { host, port }: { host: string; port: number },
): Promise<{ url: string; stop: () => Promise<void> }> {
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      if (request.url === "/metrics") response.setHeader("content-type", Registry.PROMETHEUS_CONTENT_TYPE).end(await metrics.text());
      else if (request.url === "/healthz") response.end("ok\n");
      else response.writeHead(404).end();
    };
    answer().catch(() => response.writeHead(500).end());
  });
  server.listen(port, host);
  await once(server, "listening").catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`PODQ_METRICS_HOST, PODQ_METRICS_PORT: metrics cannot be served there: ${reason}`, { cause: error });
  });
  const { address, port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${address.includes(":") ? `[${address}]` : address}:${taken}/metrics`,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
