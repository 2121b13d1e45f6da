import { Connection } from "./connection.ts";
import type { Host, PoolEvent } from "./host.ts";
import type { Cause } from "./outcome.ts";
import type { Remote } from "./remote.ts";
import { delay, type Stop } from "./stop.ts";

// sshd frees a session a little after it has closed the channel; asking earlier is refused.
const COOL_DOWN_MS = 15;
const GIVE_BACK_MS = 3000;
const CAP_MS = 60_000;
const MOST_STARTS = 8;

/** The bounds of one class of connection. */
export type LaneLimits = {
  /** Connections at most. */
  connections: number;
  /** Channels on each. */
  channels: number;
  /** Commands that may wait for a channel. */
  waiting: number;
  /** A connection without a channel for so long is closed. */
  idleMs: number;
  /** No connection takes a new channel after this age, a tenth more or less. */
  maxAgeMs: number;
  /** How long a command waits for a host that cannot be reached. */
  unreachableMs: number;
};

/** What a lane looks like from outside. */
export type LaneStats = { connections: number; dialling: number; busy: number; waiting: number; dials: number; failures: number };

/** A command that runs, or the reason why not. `ran`: whether it may have run. */
export type Started = { kind: "open"; remote: Remote } | { kind: "failed"; cause: Cause; ran: "never" | "maybe" };

type Member = {
  connection: Connection;
  busy: number;
  /** Channels that were closed and not given back. */
  stuck: number;
  /** A slot beyond the limit, so that a killer finds a way where everything hangs. */
  errand: boolean;
  /** Fewer channels than the limit, because the host refused more; and until when this is believed. */
  cap: number;
  capUntil: number;
  draining: boolean;
  idleSince: number;
  retireAt: number;
};

type Waiter = { since: number; resolve: (member: Member | Cause) => void; timer?: NodeJS.Timeout };

/** One class of connection: dials when needed, gives each command a channel on the least busy one, in the order they came. */
export class Lane {
  readonly name: string;
  readonly #host: Host;
  readonly #limits: LaneLimits;
  readonly #onEvent: (event: PoolEvent) => void;
  readonly #members = new Set<Member>();
  readonly #waiters: Waiter[] = [];
  readonly #sweeper: NodeJS.Timeout;
  #dialling = 0;
  #ended = false;
  #dials = 0;
  #failures = 0;

  constructor(name: string, host: Host, limits: LaneLimits, onEvent: (event: PoolEvent) => void) {
    this.name = name;
    this.#host = host;
    this.#limits = limits;
    this.#onEvent = onEvent;
    this.#sweeper = setInterval(() => this.#sweep(), Math.max(20, Math.min(1000, limits.idleMs / 4)));
    this.#sweeper.unref();
    host.onChange(() => {
      if (host.refusal) this.clear(host.refusal);
      this.#giveUpWaiting();
      this.#pump();
    });
  }

  stats(): LaneStats {
    let busy = 0;
    for (const member of this.#members) busy += member.busy;
    return {
      connections: this.#members.size,
      dialling: this.#dialling,
      busy,
      waiting: this.#waiters.length,
      dials: this.#dials,
      failures: this.#failures,
    };
  }

  /** Starts a command line on a connection of this lane. What is known never to have run is tried again, until `stop` or eight times. */
  async start(line: () => string, stop: Stop): Promise<Started> {
    for (let attempt = 1; ; attempt += 1) {
      const member = await this.#slot(stop);
      if ("kind" in member) return { kind: "failed", cause: member, ran: "never" };
      const opened = await this.#open(member, line());
      if (opened.kind === "open") return opened;
      if (opened.kind === "unknown") return { kind: "failed", cause: { kind: "unknown", message: opened.message }, ran: "maybe" };
      if (stop.cause) return { kind: "failed", cause: stop.cause, ran: "never" };
      if (attempt === MOST_STARTS)
        return { kind: "failed", cause: { kind: "not-started", message: `refused ${attempt} times: ${opened.message}` }, ran: "never" };
      if (opened.refused) await stop.race(delay(attempt * (10 + Math.random() * 40)));
    }
  }

  /** Starts a command line beside the limit, on a connection that is there; undefined if none is free for it. */
  async startErrand(line: string): Promise<Started | undefined> {
    const member = this.#best((candidate) => !candidate.errand && candidate.connection.alive);
    if (!member) return undefined;
    member.errand = true;
    const opened = await member.connection.exec(line);
    if (opened.kind !== "open") {
      member.errand = false;
      return opened.kind === "unknown" ? { kind: "failed", cause: { kind: "unknown", message: opened.message }, ran: "maybe" } : undefined;
    }
    void opened.remote.released.then(() => (member.errand = false));
    return opened;
  }

  /** Fails whatever waits. */
  clear(cause: Cause): void {
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(cause);
  }

  /** Closes every connection; the host's dials are to be given up first. */
  async end(): Promise<void> {
    this.#ended = true;
    clearInterval(this.#sweeper);
    await Promise.all([...this.#members].map((member) => member.connection.end()));
  }

  async #open(member: Member, line: string): ReturnType<Connection["exec"]> {
    const opened = await member.connection.exec(line);
    if (opened.kind === "open") {
      this.#releaseLater(member, opened.remote);
      return opened;
    }
    if (opened.kind === "unknown") this.#retire(member, opened.message); // its channel is not in our hands
    if (opened.kind === "not-started" && opened.refused) this.#cap(member);
    this.#release(member);
    return opened;
  }

  // A connection may have fewer sessions left than we think: MaxSessions is low, or ended commands still hold theirs.
  #cap(member: Member): void {
    const others = member.busy - 1;
    this.#onEvent({ event: "refused", lane: this.name, sessions: others });
    if (others === 0) this.#retire(member, "the host refuses every session on it");
    member.cap = Math.max(1, others);
    member.capUntil = performance.now() + CAP_MS;
  }

  #releaseLater(member: Member, remote: Remote): void {
    void remote.released.then(async () => {
      await delay(COOL_DOWN_MS);
      this.#release(member);
    });
    void remote.closing.then(async () => {
      const given = await Promise.race([remote.released.then(() => true), delay(GIVE_BACK_MS, true)]);
      if (given || !member.connection.alive) return;
      // sshd keeps the session of a closed channel as long as its process lives.
      member.stuck += 1;
      this.#retire(member, "a closed channel was not given back");
    });
  }

  #release(member: Member): void {
    member.busy -= 1;
    if (member.busy === 0) member.idleSince = performance.now();
    this.#leaveIfDone(member);
    this.#pump();
  }

  // Unselectable first, closed later: a command must not meet a connection that is about to go.
  #retire(member: Member, reason: string): void {
    if (!member.draining && member.connection.alive) this.#onEvent({ event: "retired", lane: this.name, reason });
    member.draining = true;
    this.#leaveIfDone(member);
  }

  #leaveIfDone(member: Member): void {
    if (member.draining && member.busy <= member.stuck && !member.errand) void member.connection.end();
  }

  #slot(stop: Stop): Promise<Member | Cause> {
    if (stop.cause) return Promise.resolve(stop.cause);
    if (this.#host.refusal) return Promise.resolve(this.#host.refusal);
    if (this.#waiters.length >= this.#limits.waiting) {
      return Promise.resolve({ kind: "not-started", message: `${this.#waiters.length} commands are waiting already` });
    }
    return new Promise((resolve) => {
      const waiter: Waiter = {
        since: performance.now(),
        resolve: (found) => {
          clearTimeout(waiter.timer);
          resolve(found);
        },
      };
      waiter.timer = setTimeout(() => this.#giveUpWaiting(), this.#limits.unreachableMs + 1);
      this.#waiters.push(waiter);
      void stop.happened.then((cause) => {
        const place = this.#waiters.indexOf(waiter);
        if (place < 0) return;
        this.#waiters.splice(place, 1);
        waiter.resolve(cause);
      });
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#waiters.length > 0) {
      const member = this.#best((candidate) => this.#hasRoom(candidate));
      if (!member) break;
      member.busy += 1;
      this.#waiters.shift()?.resolve(member);
    }
    const { channels, connections } = this.#limits;
    while (this.#waiters.length > this.#dialling * channels && this.#usable() + this.#dialling < connections && this.#host.mayDial)
      void this.#dial();
  }

  #hasRoom(member: Member): boolean {
    if (member.draining || !member.connection.alive) return false;
    const limit = performance.now() < member.capUntil ? Math.min(member.cap, this.#limits.channels) : this.#limits.channels;
    return member.busy < limit;
  }

  // The least busy; of equals the oldest, so that the youngest falls idle.
  #best(fits: (member: Member) => boolean): Member | undefined {
    let best: Member | undefined;
    for (const member of this.#members) if (fits(member) && (!best || member.busy < best.busy)) best = member;
    return best;
  }

  #usable(): number {
    let count = 0;
    for (const member of this.#members) if (!member.draining && member.connection.alive) count += 1;
    return count;
  }

  async #dial(): Promise<void> {
    this.#dialling += 1;
    this.#dials += 1;
    const result = await this.#host.dial(this.name);
    this.#dialling -= 1;
    if (result instanceof Connection) this.#join(result);
    else this.#failures += 1;
    this.#pump();
  }

  #join(connection: Connection): void {
    const now = performance.now();
    const retireAt = now + this.#limits.maxAgeMs * (0.9 + Math.random() * 0.2);
    const member: Member = { connection, busy: 0, stuck: 0, errand: false, cap: 0, capUntil: 0, draining: false, idleSince: now, retireAt };
    this.#members.add(member);
    void connection.lost.then((reason) => {
      this.#members.delete(member);
      if (!this.#ended && (!member.draining || member.busy > member.stuck))
        this.#onEvent({ event: "lost", lane: this.name, reason, channels: member.busy });
      this.#pump();
    });
  }

  // Nobody waits for longer than this for a host that does not answer, as long as there is no connection at all.
  #giveUpWaiting(): void {
    const trouble = this.#host.trouble;
    if (!trouble || this.#usable() > 0) return;
    const before = performance.now() - this.#limits.unreachableMs;
    while (this.#waiters[0] && this.#waiters[0].since <= before) this.#waiters.shift()?.resolve(trouble);
  }

  #sweep(): void {
    const now = performance.now();
    for (const member of this.#members) {
      if (member.draining) continue;
      if (now > member.retireAt) this.#retire(member, "it is old");
      else if (member.busy === 0 && !member.errand && now - member.idleSince > this.#limits.idleMs) this.#retire(member, "it is idle");
    }
  }
}
