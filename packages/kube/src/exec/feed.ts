import { setTimeout as wait } from "node:timers/promises";
import { BULK_BYTES, openBulk, type Bulk } from "./bulk.ts";
import type { Frame } from "./frames.ts";
import type { LiveInput } from "./outcome.ts";
import { calls, FEED_BYTES } from "./protocol.ts";
import type { Session } from "./session.ts";

// The pod keeps what it took and has not fed yet: so much of its disk, and so many records in a FIFO that must never be full.
const WINDOW_BYTES = 1024 * 1024;
const WINDOW_PIECES = 16;
// Sent and not known to be taken: on a slow way, more of it would hold up the answers that show the session's life.
const UNTAKEN_BYTES = 512 * 1024;
// Raw pieces go their own way, so an answer may be older than they are: only when it stays so are they taken for lost.
const BULK_FROM_BYTES = 512 * 1024;
const BULK_WINDOW_BYTES = 8 * BULK_BYTES;
const BULK_UNTAKEN_BYTES = 4 * BULK_BYTES;
const BULK_STALL_MS = 10_000;
const BULK_OVER_MS = 500;
const BULK_TRIES = 3;
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 500;
const REFUSED_PAUSE_MS = 200;

type Progress = Extract<Frame, { kind: "fed" }>;

/**
 * Feeds one run its standard input over one session, while it runs. The pod says how far it is, and whatever it did not take is read
 * and sent again: so a new session goes on where the last one stopped, and none needs to know what became of the other's pieces.
 */
export class Feed {
  readonly #session: Session;
  readonly #id: string;
  readonly #source: LiveInput;
  readonly #stopped = new AbortController();
  #answer: (progress: Progress | undefined) => void = () => undefined;
  #changed = Promise.withResolvers<void>();
  /** End of what was sent here; undefined until the pod has said where it is. */
  #sent: number | undefined;
  #taken = 0;
  #fed = 0;
  #endSent = false;
  #over = false;
  #nothings = 0;
  /** What an earlier session left untold: how many pieces it was nobody knows, so it counts as a full window. */
  #inherited = 0;
  #refusedUntil = 0;
  #bulk: Bulk | undefined;
  #bulkTries = 0;
  #bulkFrom = 0;
  /** Whether pieces go the bulk way now. */
  #raw = false;
  #movedAt = 0;
  /** Ends of the pieces that are not fed yet. */
  #out: number[] = [];

  constructor(session: Session, id: string, source: LiveInput, failed: (error: unknown) => void) {
    this.#session = session;
    this.#id = id;
    this.#source = source;
    Promise.all([this.#ask(), this.#give()]).catch((error: unknown) => {
      if (!this.#stopped.signal.aborted) failed(error);
    });
  }

  /** An answer of the pod. */
  hear(progress: Progress): void {
    this.#answer(progress);
  }

  stop(): void {
    this.#stopped.abort();
    this.#bulk?.close();
    this.#answer(undefined);
    this.#notify();
  }

  get #done(): boolean {
    return this.#over || this.#stopped.signal.aborted;
  }

  // Asks how far the pod is: often while that changes, and not at all while nothing is under way.
  async #ask(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!this.#done) {
      if (this.#session.phase !== "opening") {
        const sent = this.#sent;
        const answer = Promise.withResolvers<Progress | undefined>();
        this.#answer = answer.resolve;
        this.#session.send(calls.fed(this.#id), true);
        const progress = await answer.promise;
        if (progress === undefined) return;
        pauseMs = this.#learn(progress, sent) ? FIRST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, pauseMs * 1.5);
      }
      while (!this.#done && this.#sent === this.#fed && !this.#endSent) {
        await this.#changed.promise;
        pauseMs = FIRST_PAUSE_MS;
      }
      // The end leaves no number behind that would show it was taken: it is said again until the pod has no more to say.
      if (this.#endSent && this.#fed === this.#sent && pauseMs > 4 * FIRST_PAUSE_MS) this.#session.send(this.#end());
      await wait(this.#raw ? pauseMs * 3 : pauseMs, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
    }
  }

  // Whether the pod has come further. `sent` is what had been sent before the question.
  #learn({ fed, taken }: Progress, sent: number | undefined): boolean {
    if (fed === null || taken === null) {
      // Before its feeder is there, or behind its end; and once in a while a number is just being written.
      this.#over = this.#sent !== undefined && ++this.#nothings >= 3;
      this.#notify();
      return false;
    }
    this.#nothings = 0;
    const moved = fed > this.#fed || taken > this.#taken || this.#sent === undefined;
    if (moved) this.#movedAt = performance.now();
    this.#fed = Math.max(this.#fed, fed);
    this.#taken = Math.max(this.#taken, taken);
    if (this.#sent === undefined || sent === undefined) {
      this.#sent = this.#taken;
      this.#inherited = this.#taken;
      this.#bulkFrom = this.#taken + BULK_FROM_BYTES;
    } else if ((taken < sent && !this.#mayBeUnderWay()) || taken > this.#sent) {
      // Refused: the disk is full, or another session was quicker.
      if (taken < sent) this.#refusedUntil = performance.now() + REFUSED_PAUSE_MS;
      this.#sent = taken;
      this.#out = this.#out.filter((end) => end <= taken);
      this.#endSent = false;
    }
    this.#out = this.#out.filter((end) => end > this.#fed);
    this.#source.taken(this.#taken);
    this.#notify();
    return moved;
  }

  // Reads and sends, as far as the window goes.
  async #give(): Promise<void> {
    for (;;) {
      while (!this.#done && !this.#isOpen()) await this.#changed.promise;
      const pauseMs = this.#refusedUntil - performance.now();
      if (pauseMs > 0) await wait(pauseMs, undefined, { signal: this.#stopped.signal });
      if (this.#done) return;
      const at = this.#sent!;
      if (this.#fed >= this.#bulkFrom) this.#wantBulk();
      const bytes = await this.#source.read(at, this.#raw ? BULK_BYTES : FEED_BYTES, this.#stopped.signal);
      if (this.#done) return;
      if (at !== this.#sent) continue; // the pod is somewhere else by now
      if (bytes === null) {
        this.#endSent = true;
        this.#session.send(this.#end());
      } else {
        if (this.#taken === at) this.#movedAt = performance.now();
        this.#sent = at + bytes.length;
        this.#out.push(this.#sent);
        if (this.#raw) await this.#bulk?.send(at, bytes);
        else if (!this.#session.send(calls.feed(this.#id, at, bytes))) await this.#session.drained();
      }
      this.#notify();
    }
  }

  // Much is coming: it goes raw from when nothing is under way the other way.
  #wantBulk(): void {
    this.#bulkFrom = Infinity;
    if (this.#bulkTries++ === BULK_TRIES) return;
    void openBulk(this.#session, this.#id, this.#stopped.signal).then((bulk) => {
      if (this.#done) bulk?.close();
      else this.#bulk = bulk;
      this.#notify();
    });
  }

  #mayBeUnderWay(): boolean {
    if (!this.#raw) return false;
    const stillMs = performance.now() - this.#movedAt;
    if (stillMs < (this.#bulk?.over ? BULK_OVER_MS : BULK_STALL_MS)) return true;
    this.#leaveBulk();
    return false;
  }

  #leaveBulk(): void {
    this.#bulk?.close();
    this.#bulk = undefined;
    this.#raw = false;
    this.#bulkFrom = this.#taken;
  }

  #end(): Buffer {
    return calls.feed(this.#id, this.#sent!, new Uint8Array());
  }

  #isOpen(): boolean {
    const sent = this.#sent;
    if (sent === undefined || this.#endSent || this.#fed < this.#inherited) return false;
    if (this.#bulk && !this.#raw) {
      if (this.#taken < sent) return false;
      this.#raw = true;
      this.#movedAt = performance.now();
    }
    if (this.#bulk?.over && this.#taken === sent) this.#leaveBulk();
    if (this.#raw) return sent - this.#fed < BULK_WINDOW_BYTES && sent - this.#taken < BULK_UNTAKEN_BYTES;
    return sent - this.#fed < WINDOW_BYTES && sent - this.#taken < UNTAKEN_BYTES && this.#out.length < WINDOW_PIECES;
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
