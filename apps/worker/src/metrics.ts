import { kinds } from "@podq/jobs";
import type { SessionStats } from "@podq/kube";
import type { PoolEvent, PoolStats } from "@podq/ssh";
import type { Backlog, JobDocument } from "@podq/store";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { WorkerConfig } from "./config.ts";
import type { Outcome } from "./outcome.ts";
import type { Went } from "./way.ts";

/** Told of what a worker does, to count it. Never throws. */
export type Observer = {
  /** An attempt begins; the returned function is called once when it is over. */
  attempt: (job: JobDocument) => (outcome: Outcome) => void;
  /** The sweeper found jobs that nobody was running, or whose deadline had passed. */
  swept: (found: { stranded: number; expired: number }) => void;
  /** A namespace whose generation is on record as gone was deleted. */
  orphan: () => void;
  /** All records of a host were compared with its cluster, or one was changed to agree with it. */
  reconciled: (what: { kind: "pass"; ms: number } | { kind: "change"; status: string; code: string | null }) => void;
  /** A command's session was cut, for a reason of this kind. */
  cut: (obstacle: string) => void;
  /** Redis failed at something that the sweeper makes good. */
  lag: () => void;
  /** Something was done on an SSH host, or by a session in a pod there. */
  went: (host: string, went: Went) => void;
  /** What the pool of connections to a host says of itself. */
  ssh: (host: string, event: PoolEvent) => void;
  /** All unfinished jobs, as the one worker that looks after them saw them. */
  backlog: (seen: Backlog) => void;
};

/** A worker's numbers, in the format that Prometheus reads. */
export type Metrics = { observer: Observer; text: () => Promise<string> };

const waitBuckets = [0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800];
const attemptBuckets = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 120, 600, 3_600];
const callBuckets = [0.005, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30];

/** Another worker looks after the backlog when this one has not for so long; then it is that one's to tell. */
const backlogForMs = 60_000;

const obstacles = ["gone", "not-running", "no-shell", "no-journal", "barred", "down"];

const bound = ({ connections, channels }: { connections: number; channels: number }): number => connections * channels;

/** How this worker uses one host. `reconciler`: null where another worker has that duty, or none. */
type Use = {
  host: string;
  ssh: PoolStats;
  sessions: SessionStats;
  reconciler: { live: boolean; objects: number; pending: number } | null;
};

/** A figure of a host, or of each lane to it. */
type Figure = number | Record<string, number>;

const lanes =
  (key: keyof PoolStats["commands"]) =>
  ({ ssh }: Use): Record<string, number> => ({ commands: ssh.commands[key], sessions: ssh.channels[key] });

/** Counts what `observer` is told, and reads the bounds and how they are used when it is asked. Labels are words of podq's own. */
export function createMetrics(config: WorkerConfig, use: () => readonly Use[]): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const histogram = <L extends string>(name: string, help: string, labelNames: L[], buckets: number[]): Histogram<L> =>
    new Histogram({ name, help, labelNames, buckets, registers });
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]): Counter<L> =>
    new Counter({ name, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]): Gauge<L> =>
    new Gauge({ name, help, labelNames, registers });

  const wait = histogram("podq_job_wait_seconds", "From the enqueue to the first attempt", ["kind"], waitBuckets);
  const attempts = histogram(
    "podq_attempt_seconds",
    "One attempt, and what came of it: a state, retry, release (left to another worker) or fenced (another worker had it)",
    ["kind", "outcome"],
    attemptBuckets,
  );
  const ends = counter("podq_jobs_ended_total", "Jobs ended here", "kind", "state", "code");
  const losses = counter("podq_jobs_lost_total", "Jobs that ended as lost: nobody can say what came of the command", "code");
  const running = gauge("podq_jobs_running", "Attempts under way", "kind");
  const stranded = counter("podq_sweeper_stranded_total", "Jobs that the sweeper woke");
  const expired = counter("podq_sweeper_expired_total", "Jobs whose deadline passed in line");
  const orphans = counter("podq_sweeper_orphans_total", "Namespaces deleted, whose generation is on record as gone");
  const follows = counter("podq_reconciler_changes_total", "Records changed to agree with the cluster", "status", "code");
  const passes = histogram("podq_reconciler_pass_seconds", "All records compared with the cluster", [], callBuckets);
  const cuts = counter("podq_exec_cuts_total", "Sessions lost under a command", "obstacle");
  const lags = counter("podq_redis_lags_total", "Times that Redis failed at something that the sweeper makes good");
  const dial = histogram("podq_ssh_dial_seconds", "TCP, key exchange and login together", ["host", "lane"], callBuckets);
  const lost = counter("podq_ssh_lost_total", "Connections lost under a command or a held channel", "host", "lane");
  const kubectl = histogram("podq_kubectl_seconds", "One kubectl on the host, to its end", ["host", "verb", "outcome"], callBuckets);
  const opens = histogram("podq_ssh_open_seconds", "Until a channel to a kubectl was held", ["host", "verb", "outcome"], callBuckets);
  const execs = histogram("podq_exec_seconds", "One command in a pod, as far as this worker saw it", ["host", "outcome"], attemptBuckets);

  // What an alert asks about has to be there before it happens: the first one of a series that was not there is no increase.
  for (const kind of kinds) {
    running.set({ kind }, 0);
    for (const outcome of ["succeeded", "failed", "lost", "retry", "release", "fenced"]) attempts.zero({ kind, outcome });
  }
  for (const code of ["outcome-unknown", "pod-replaced"]) losses.inc({ code }, 0);
  for (const obstacle of obstacles) cuts.inc({ obstacle }, 0);
  for (const { name: host } of config.hosts) for (const lane of ["commands", "sessions"]) lost.inc({ host, lane }, 0);

  const unfinished = gauge(
    "podq_jobs_unfinished",
    "Jobs of all pods that have not ended; the same from every worker that tells",
    "kind",
    "state",
  );
  const lines = gauge("podq_lines", "Pods with unfinished jobs");
  const waiting = gauge("podq_lines_waiting", "Of those, whose first job waits for a worker");
  const longest = gauge("podq_line_longest", "Unfinished jobs of the pod that has most");
  let backlogAt = -Infinity;
  const forget = (): void => {
    for (const one of [unfinished, lines, waiting, longest]) one.reset();
    for (const one of [lines, waiting, longest]) one.remove();
  };
  forget();

  const figures = function* (value: (use: Use) => Figure): Generator<[labels: { host: string; lane?: string }, figure: number]> {
    for (const one of use()) {
      const { host } = one;
      const now = value(one);
      if (typeof now === "number") yield [{ host }, now];
      else for (const [lane, each] of Object.entries(now)) yield [{ host, lane }, each];
    }
  };
  const read = (name: string, help: string, value: (use: Use) => Figure): void => {
    const one: Gauge = new Gauge({
      name,
      help,
      labelNames: ["host", "lane"],
      registers,
      collect() {
        for (const [labels, figure] of figures(value)) one.set(labels, figure);
      },
    });
  };
  // What others count for us.
  const follow = (name: string, help: string, value: (use: Use) => Figure): void => {
    const one: Counter = new Counter({
      name,
      help,
      labelNames: ["host", "lane"],
      registers,
      collect() {
        one.reset();
        for (const [labels, figure] of figures(value)) one.inc(labels, figure);
      },
    });
  };
  const settings = new Map(config.hosts.map((host) => [host.name, host]));
  gauge("podq_jobs_limit", "Jobs at once").set(config.concurrency);
  read("podq_ssh_up", "1 while the last dial to the host succeeded, or none was tried", ({ ssh }) =>
    ssh.breaker.state === "closed" ? 1 : 0,
  );
  read("podq_ssh_connections", "Connections to the host", lanes("connections"));
  read("podq_ssh_channels_busy", "Channels in use", lanes("busy"));
  read("podq_ssh_waiting", "Waiting for a channel", lanes("waiting"));
  follow("podq_ssh_dials_total", "Connections dialled", lanes("dials"));
  follow("podq_ssh_dial_failures_total", "Dials that failed", lanes("failures"));
  read("podq_ssh_channels_limit", "Channels that may be in use at once", ({ host }) => {
    const { commands, sessions } = settings.get(host)!.ssh;
    return { commands: bound(commands), sessions: bound(sessions) };
  });
  read("podq_exec_sessions", "Sessions kept to pods", ({ sessions }) => sessions.sessions);
  read("podq_exec_sessions_busy", "Sessions with a command in them", ({ sessions }) => sessions.busy);
  read("podq_exec_sessions_waiting", "Commands that wait for a session", ({ sessions }) => sessions.waiting);
  follow("podq_exec_sessions_opened_total", "Sessions opened", ({ sessions }) => sessions.opened);
  read("podq_exec_sessions_limit", "Sessions kept at once", () => config.sessions.max);
  read("podq_exec_session_commands_limit", "Commands at once in a session", () => config.sessions.commands);

  read("podq_reconciler_live", "1 where changes of the cluster arrive as they happen", ({ reconciler }) => (reconciler?.live ? 1 : 0));
  read("podq_reconciler_objects", "Objects of the cluster that are held in memory", ({ reconciler }) => reconciler?.objects ?? 0);
  read("podq_reconciler_pending", "Pods whose record does not agree with the cluster yet", ({ reconciler }) => reconciler?.pending ?? 0);

  return {
    async text() {
      if (performance.now() - backlogAt > backlogForMs) forget();
      return registry.metrics();
    },
    observer: {
      attempt({ kind, attempt, createdAt }) {
        if (attempt === 1) wait.observe({ kind }, Math.max(0, Date.now() - createdAt.getTime()) / 1_000);
        running.inc({ kind });
        const stop = attempts.startTimer({ kind });
        return (outcome) => {
          running.dec({ kind });
          stop({ outcome: outcome.kind === "end" ? outcome.state : outcome.kind });
          if (outcome.kind !== "end") return;
          const code = outcome.error?.code ?? "";
          ends.inc({ kind, state: outcome.state, code });
          if (outcome.state === "lost") losses.inc({ code });
        };
      },
      swept(found) {
        stranded.inc(found.stranded);
        expired.inc(found.expired);
      },
      orphan: () => orphans.inc(),
      reconciled(what) {
        if (what.kind === "pass") passes.observe(what.ms / 1_000);
        else follows.inc({ status: what.status, code: what.code ?? "" });
      },
      cut: (obstacle) => cuts.inc({ obstacle }),
      lag: () => lags.inc(),
      went(host, { what, verb, outcome, ms }) {
        if (what === "exec") execs.observe({ host, outcome }, ms / 1_000);
        else (what === "run" ? kubectl : opens).observe({ host, verb, outcome }, ms / 1_000);
      },
      ssh(host, event) {
        if (event.event === "connected") dial.observe({ host, lane: laneOf(event.lane) }, event.ms / 1_000);
        if (event.event === "lost" && event.channels > 0) lost.inc({ host, lane: laneOf(event.lane) });
      },
      backlog(seen) {
        backlogAt = performance.now();
        unfinished.reset();
        for (const { kind, state, jobs } of seen.jobs) unfinished.set({ kind, state }, jobs);
        lines.set(seen.lines);
        waiting.set(seen.waiting);
        longest.set(seen.longest);
      },
    },
  };
}

// The pool's second class of connection holds channels: here its users give it its name.
function laneOf(lane: string): string {
  return lane === "channels" ? "sessions" : lane;
}
