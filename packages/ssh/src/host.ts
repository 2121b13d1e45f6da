import { afterFailure, type Breaker, type BreakerState, breakerState, closedBreaker, dialsAllowed, isRefusal } from "./breaker.ts";
import { Connection, dial, type Target } from "./connection.ts";
import type { Cause } from "./outcome.ts";

/** What the pool tells its log: never a key, a command line or output. */
export type PoolEvent =
  | { event: "connected"; lane: string; ms: number }
  | { event: "dial-failed"; lane: string; kind: Cause["kind"]; message: string; failures: number; retryInMs: number }
  | { event: "lost"; lane: string; reason: string; channels: number }
  | { event: "retired"; lane: string; reason: string }
  | { event: "refused"; lane: string; sessions: number }
  | { event: "killed"; tokens: number; ms: number }
  | { event: "kill-failed"; tokens: number; message: string };

/** The way to one host as all lanes share it: its breaker, and how many dials may be in flight. */
export class Host {
  #breaker: Breaker = closedBreaker;
  #dialling = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #target: Target;
  readonly #onEvent: (event: PoolEvent) => void;
  readonly #givenUp = new AbortController();
  readonly #listeners: (() => void)[] = [];
  readonly #tell = (): void => this.#listeners.forEach((listener) => listener());

  constructor(target: Target, onEvent: (event: PoolEvent) => void) {
    this.#target = target;
    this.#onEvent = onEvent;
  }

  /** Calls back whenever a dial may have become possible, or what is known of the host has changed. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  get state(): { state: BreakerState; failures: number; retryInMs: number } {
    const nowMs = performance.now();
    const { failures, retryAtMs } = this.#breaker;
    return {
      state: breakerState(this.#breaker, nowMs),
      failures,
      retryInMs: failures === 0 ? 0 : Math.max(0, Math.round(retryAtMs - nowMs)),
    };
  }

  /** Why the last dial failed, until one succeeds. */
  get trouble(): Cause | undefined {
    return this.#breaker.cause;
  }

  /** The host's answer was no and still stands: there is nothing to wait for. */
  get refusal(): Cause | undefined {
    return isRefusal(this.trouble) && this.state.state === "open" ? this.trouble : undefined;
  }

  get mayDial(): boolean {
    return !this.#givenUp.signal.aborted && this.#dialling < dialsAllowed(this.#breaker, performance.now());
  }

  /** Dials once; ask mayDial first. The breaker learns from it. */
  async dial(lane: string): Promise<Connection | Cause> {
    const started = performance.now();
    this.#dialling += 1;
    const result = await dial(this.#target, this.#givenUp.signal);
    this.#dialling -= 1;
    if (result instanceof Connection) this.#succeeded(lane, performance.now() - started);
    else if (!this.#givenUp.signal.aborted) this.#failed(lane, result);
    setImmediate(this.#tell); // after the caller has taken its connection
    return result;
  }

  /** Ends dials in flight and lets no more begin. */
  giveUp(): void {
    clearTimeout(this.#timer);
    this.#givenUp.abort();
  }

  #succeeded(lane: string, ms: number): void {
    this.#breaker = closedBreaker;
    clearTimeout(this.#timer);
    this.#onEvent({ event: "connected", lane, ms: Math.round(ms) });
  }

  #failed(lane: string, cause: Cause): void {
    this.#breaker = afterFailure(this.#breaker, cause, performance.now(), Math.random());
    const { failures, retryInMs } = this.state;
    this.#onEvent({ event: "dial-failed", lane, kind: cause.kind, message: cause.message, failures, retryInMs });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#tell, retryInMs + 1);
  }
}
