import { collectCommand, holdCommand } from "./command.ts";
import type { BreakerState } from "./breaker.ts";
import { Host, type PoolEvent } from "./host.ts";
import type { HostKeys } from "./host-keys.ts";
import type { PrivateKey } from "./keys.ts";
import { Lane, type LaneStats } from "./lane.ts";
import { type Cause, type Channel, type Exit, type Failure, failure, type OpenOptions, type RunOptions } from "./outcome.ts";
import { createReaper } from "./reaper.ts";
import { delay, Stop } from "./stop.ts";

/** Whom a pool reaches, as whom, and within which bounds. */
export type PoolOptions = {
  host: string;
  /** Default 22. */
  port?: number;
  username: string;
  key: PrivateKey;
  hostKeys: HostKeys;
  /** Connections for commands, and commands at once on each. Default 4 and 5: half of what an OpenSSH host lets in. */
  commands?: { connections?: number; channels?: number };
  /** Connections for held channels, and channels on each. Default 8 and 8. */
  channels?: { connections?: number; channels?: number };
  /** Commands that may wait for a channel, in each class. Default 1000. */
  waiting?: number;
  /** Time of a command that brings none of its own. Default 2 minutes. */
  commandTimeoutMs?: number;
  /** Time to open a channel that brings none of its own. Default 30 s. */
  openTimeoutMs?: number;
  /** TCP, key exchange and login together. Default 10 s. */
  dialTimeoutMs?: number;
  /** The host's answer to a request to run something; without it the connection is given up. Default 8 s. */
  answerTimeoutMs?: number;
  /** How long a command waits for a host that cannot be reached. Default 10 s. */
  unreachableMs?: number;
  /** Sign of life asked for after so much silence; a dead host is noticed after three times that. Keep it below the host's ClientAliveInterval. Default 5 s. */
  keepaliveMs?: number;
  /** A channel whose command has exited and that does not move is closed after this. Default 500 ms. */
  lingerMs?: number;
  /** A connection without a channel is closed after this. Default 1 minute. */
  idleMs?: number;
  /** A connection takes no new channel at this age, a tenth more or less. Default 1 hour. */
  maxAgeMs?: number;
  /** Time to end a command on the host after a time-out or an abort. Default 5 s. */
  killTimeoutMs?: number;
  /** stdout and stderr of one command together. Default 64 MiB. */
  maxOutputBytes?: number;
  /** Told what happens, for the log. Must not throw. */
  onEvent?: (event: PoolEvent) => void;
};

/** The numbers of a pool. */
export type PoolStats = { commands: LaneStats; channels: LaneStats; breaker: { state: BreakerState; failures: number; retryInMs: number } };

/** Runs commands on one host. */
export type Pool = {
  /** Runs an argv on the host and collects its output. Never rejects: how it went is the value. */
  run(argv: readonly string[], options?: RunOptions): Promise<Exit | Failure>;
  /** Starts an argv on the host and holds the channel to it. Never rejects. */
  open(argv: readonly string[], options?: OpenOptions): Promise<{ kind: "open"; channel: Channel } | Failure>;
  stats(): PoolStats;
  /** Takes nothing new, waits for what runs up to `graceMs` (default 10 s), ends the rest on the host, closes every connection. */
  close(options?: { graceMs?: number }): Promise<void>;
};

const CLOSED: Cause = { kind: "closed", message: "the pool is closed" };

/** A pool of connections to one host. Dials nothing until it is used. */
export function createPool(options: PoolOptions): Pool {
  const tell = (event: PoolEvent): void => {
    options.onEvent?.(event);
    if (event.event === "connected") reaper.sweep();
  };
  const host = new Host(target(options), tell);
  const commands = new Lane("commands", host, limits(options, { connections: 4, channels: 5, ...options.commands }), tell);
  const channels = new Lane("channels", host, limits(options, { connections: 8, channels: 8, ...options.channels }), tell);
  const killTimeoutMs = options.killTimeoutMs ?? 5000;
  const reaper = createReaper(
    async (line, stop) => (await commands.startErrand(line)) ?? (await channels.startErrand(line)) ?? commands.start(() => line, stop),
    killTimeoutMs,
    tell,
  );
  const means = { reaper, killTimeoutMs, maxOutputBytes: options.maxOutputBytes ?? 64 * 1024 * 1024 };

  const running = new Map<Promise<unknown>, Stop>();
  let closing: Promise<void> | undefined;

  const track = async <T>(work: Promise<T>, stop: Stop): Promise<T> => {
    running.set(work, stop);
    try {
      return await work;
    } finally {
      stop.dispose();
      running.delete(work);
    }
  };

  const idle = async (): Promise<void> => {
    while (running.size > 0) await Promise.allSettled(running.keys());
  };

  const shutDown = async (graceMs: number): Promise<void> => {
    commands.clear(CLOSED);
    channels.clear(CLOSED);
    const grace = new Stop({ timeoutMs: graceMs });
    await grace.race(idle());
    grace.dispose();
    for (const stop of running.values()) stop.because(CLOSED);
    await Promise.race([idle(), delay(killTimeoutMs + 1000, true)]);
    host.giveUp();
    commands.clear(CLOSED); // a killer of orphans may be waiting
    await Promise.all([commands.end(), channels.end()]);
  };

  return {
    run: async (argv, { stdin = "", timeoutMs = options.commandTimeoutMs ?? 120_000, signal } = {}) => {
      const wrong = closing ? CLOSED : faultOf(argv);
      if (wrong) return failure(wrong, { stopped: true });
      const stop = new Stop({ timeoutMs, signal });
      return track(collectCommand({ ...means, lane: commands }, argv, stdin, stop), stop);
    },
    open: async (argv, { timeoutMs = options.openTimeoutMs ?? 30_000, signal } = {}) => {
      const wrong = closing ? CLOSED : faultOf(argv);
      if (wrong) return failure(wrong, { stopped: true });
      const opening = new Stop({ timeoutMs, signal });
      const held = new Stop({});
      const opened = await track(holdCommand({ ...means, lane: channels }, argv, opening, held), opening);
      if (opened.kind === "open") void track(opened.channel.ended, held);
      return opened;
    },
    stats: () => ({ commands: commands.stats(), channels: channels.stats(), breaker: host.state }),
    close: ({ graceMs = 10_000 } = {}) => (closing ??= shutDown(graceMs)),
  };
}

function target(options: PoolOptions): ConstructorParameters<typeof Host>[0] {
  return {
    host: options.host,
    port: options.port ?? 22,
    username: options.username,
    key: options.key,
    hostKeys: options.hostKeys,
    dialTimeoutMs: options.dialTimeoutMs ?? 10_000,
    answerTimeoutMs: options.answerTimeoutMs ?? 8000,
    keepaliveMs: options.keepaliveMs ?? 5000,
    lingerMs: options.lingerMs ?? 500,
  };
}

function limits(options: PoolOptions, bounds: { connections: number; channels: number }): ConstructorParameters<typeof Lane>[2] {
  return {
    ...bounds,
    waiting: options.waiting ?? 1000,
    idleMs: options.idleMs ?? 60_000,
    maxAgeMs: options.maxAgeMs ?? 3_600_000,
    unreachableMs: options.unreachableMs ?? 10_000,
  };
}

function faultOf(argv: readonly string[]): Cause | undefined {
  if (argv.length === 0 || argv[0] === "") return { kind: "not-started", message: "there is no command" };
  if (argv.some((word) => word.includes("\0"))) return { kind: "not-started", message: "an argument cannot hold a NUL character" };
  return undefined;
}
