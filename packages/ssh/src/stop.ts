import type { Cause } from "./outcome.ts";

/** What may end a piece of work early: its time, its caller's signal, or a call of `because`. The first cause stays. */
export class Stop {
  #cause: Cause | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #deadlineMs: number;
  readonly #late: Cause;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.because({ kind: "aborted", message: "aborted by the caller", cause: this.#signal?.reason });
  readonly #stopped = Promise.withResolvers<Cause>();
  /** Resolves with the cause; never, if the work is done first. */
  readonly happened = this.#stopped.promise;

  constructor(options: { timeoutMs?: number; signal?: AbortSignal | undefined }) {
    const { timeoutMs = Infinity, signal } = options;
    this.#deadlineMs = performance.now() + timeoutMs;
    this.#late = { kind: "timeout", message: `not done within ${timeoutMs} ms` };
    this.#signal = signal;
    if (signal?.aborted) this.#onAbort();
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    // A longer timer than this would fire at once; waking up once in 24 days does no harm.
    if (timeoutMs !== Infinity) this.#timer = setTimeout(() => this.#wake(), Math.min(timeoutMs, 2 ** 31 - 1));
  }

  /** The cause, if there is one by now: a deadline counts also when its timer is late. */
  get cause(): Cause | undefined {
    if (!this.#cause && this.remainingMs() <= 0) this.because(this.#late);
    return this.#cause;
  }

  /** Time that is left; Infinity without a deadline. */
  remainingMs(): number {
    return this.#deadlineMs - performance.now();
  }

  /** Stops for this cause, unless there is one already. */
  because(cause: Cause): void {
    if (this.#cause) return;
    this.#cause = cause;
    this.dispose();
    this.#stopped.resolve(cause);
  }

  /** Waits for the work or the cause, whichever is first; undefined is the cause. */
  async race<T>(work: Promise<T>): Promise<T | undefined> {
    return Promise.race([work, this.happened.then(() => undefined)]);
  }

  /** Lets go of timer and signal. */
  dispose(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#onAbort);
  }

  #wake(): void {
    const left = this.remainingMs();
    if (left <= 0) this.because(this.#late);
    else this.#timer = setTimeout(() => this.#wake(), Math.min(left, 2 ** 31 - 1));
  }
}

/** Resolves after this time; `idle` does not keep the process alive for it. */
export function delay(ms: number, idle = false): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    if (idle) timer.unref();
  });
}
