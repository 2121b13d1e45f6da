import type { ExecTarget } from "./outcome.ts";
import { Session, type SessionOptions } from "./session.ts";

/** Bounds of the sessions that one process keeps. */
export type SessionLimits = {
  /** Sessions at once; the one unused for longest is closed for a new one. */
  max: number;
  /** Commands at once in one session. */
  runs: number;
  /** Commands after which a session is replaced. */
  spentAfter: number;
  /** A session without a command is closed after this. */
  idleMs: number;
};

/** How the pool's bounds are used. */
export type SessionStats = { sessions: number; busy: number; waiting: number; opened: number };

type Kept = { session: Session; runs: number; usedAt: number; idle?: NodeJS.Timeout };

/** A session lent out for one run; `release` is to be called once. */
export type Loan = { session: Session; release: () => void };

/** Keeps one session for each pod in use, and makes who comes when all are taken wait in turn. */
export class Sessions {
  readonly #options: (target: ExecTarget) => SessionOptions;
  readonly #limits: SessionLimits;
  readonly #kept = new Map<string, Kept>();
  readonly #draining = new Set<Session>();
  readonly #queue: (() => boolean)[] = [];
  #opened = 0;
  #closed = false;

  constructor(options: (target: ExecTarget) => SessionOptions, limits: SessionLimits) {
    this.#options = options;
    this.#limits = limits;
  }

  /** A session with the pod: the kept one, or a new one that is still opening. Undefined when `signal` fires first, or after close. */
  async borrow(target: ExecTarget, signal: AbortSignal): Promise<Loan | undefined> {
    if (this.#closed || signal.aborted) return undefined;
    const now = this.#queue.length === 0 ? this.#lend(target) : undefined;
    if (now) return now;
    return new Promise((resolve) => {
      const give = (loan: Loan | undefined): void => {
        signal.removeEventListener("abort", leave);
        resolve(loan);
      };
      const attempt = (): boolean => {
        const loan = this.#closed ? undefined : this.#lend(target);
        if (loan || this.#closed) give(loan);
        return loan !== undefined || this.#closed;
      };
      const leave = (): void => {
        this.#queue.splice(this.#queue.indexOf(attempt), 1);
        give(undefined);
      };
      signal.addEventListener("abort", leave);
      this.#queue.push(attempt);
    });
  }

  stats(): SessionStats {
    const busy = [...this.#kept.values()].filter(({ runs }) => runs > 0).length;
    return { sessions: this.#kept.size + this.#draining.size, busy, waiting: this.#queue.length, opened: this.#opened };
  }

  /** Closes every session, and resolves when they are gone. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const attempt of this.#queue.splice(0)) attempt();
    const sessions = [...[...this.#kept.values()].map(({ session }) => session), ...this.#draining];
    for (const session of sessions) session.close();
    await Promise.all(sessions.map((session) => session.gone));
  }

  #lend(target: ExecTarget): Loan | undefined {
    const key = `${target.namespace}/${target.pod}/${target.podUid}`;
    const kept = this.#kept.get(key) ?? this.#open(key, target);
    if (!kept || kept.runs >= this.#limits.runs) return undefined;
    clearTimeout(kept.idle);
    kept.runs += 1;
    let lent = true;
    const release = (): void => {
      if (!lent) return;
      lent = false;
      kept.runs -= 1;
      kept.usedAt = performance.now();
      this.#rest(key, kept);
      this.#serve();
    };
    return { session: kept.session, release };
  }

  #open(key: string, target: ExecTarget): Kept | undefined {
    if (this.#kept.size + this.#draining.size >= this.#limits.max && !this.#evict()) return undefined;
    const session = new Session(this.#options(target));
    const kept: Kept = { session, runs: 0, usedAt: performance.now() };
    this.#kept.set(key, kept);
    this.#opened += 1;
    void session.over.then(() => {
      clearTimeout(kept.idle);
      this.#draining.delete(session);
      if (this.#kept.get(key) === kept) this.#kept.delete(key);
      this.#serve();
    });
    return kept;
  }

  // After a run: a spent session is replaced, an unused one closed in a while.
  #rest(key: string, kept: Kept): void {
    const { session } = kept;
    if (session.phase === "over") return;
    if (session.begun >= this.#limits.spentAfter && this.#kept.get(key) === kept) {
      session.retire();
      this.#kept.delete(key);
      this.#draining.add(session);
    }
    if (kept.runs > 0) return;
    if (this.#draining.has(session)) session.close("it served its number of commands");
    else kept.idle = setTimeout(() => session.close("idle"), this.#limits.idleMs).unref();
  }

  #evict(): boolean {
    const unused = [...this.#kept.values()].filter(({ runs }) => runs === 0).sort((a, b) => a.usedAt - b.usedAt);
    const [oldest] = unused;
    if (!oldest) return false;
    for (const [key, kept] of this.#kept) if (kept === oldest) this.#kept.delete(key);
    oldest.session.close("room for another");
    return true;
  }

  // One that cannot be served yet does not hold up those behind it: they may want another pod.
  #serve(): void {
    for (const attempt of this.#queue.slice()) {
      const at = this.#queue.indexOf(attempt);
      if (at >= 0 && attempt()) this.#queue.splice(this.#queue.indexOf(attempt), 1);
    }
  }
}
