import { randomBytes } from "node:crypto";
import type { Channel, Exit, Failure, Open } from "../run.ts";
import { FrameReader, type Frame } from "./frames.ts";
import { judge, next, type Happening, type Patience, type Phase, type Pulse } from "./life.ts";
import { program } from "./program.ts";
import { calls } from "./protocol.ts";

/** Why a session is over. `wrote`: some call may have reached the pod. */
export type Over = { wrote: boolean } & (
  | { kind: "unopened"; failure: Failure }
  | { kind: "ended"; exit: Exit | Failure; stderr: string }
  | { kind: "refused"; why: "nodir" | "nofifo" }
  | { kind: "silent" | "garbage" | "closed"; detail: string }
);

/** What one run hears of its session. */
export type Letter = { kind: "frame"; frame: RunFrame } | { kind: "over"; over: Over };
type RunFrame = Extract<Frame, { id: string }>;

/** What a session is made of. */
export type SessionOptions = {
  open: Open;
  /** The whole kubectl exec. */
  argv: readonly string[];
  /** Directories for the journal, the one that outlives the container first. */
  dirs: readonly string[];
  patience: Patience;
  openTimeoutMs: number;
  /** Seconds between the watchdog's looks, and without a ping until the pod ends the session by itself. */
  lookS: number;
  idleS: number;
};

const MAX_STDERR = 16_384;

/**
 * One kept `kubectl exec -i POD -- sh` with the runner behind it. Calls may be sent from the first moment: until the channel is
 * there they are collected, and go in behind the program in one write, so that a cold command costs one kubectl.
 */
export class Session {
  readonly options: SessionOptions;
  readonly nonce: string = randomBytes(8).toString("hex");
  /** Settled when nothing more will come. */
  readonly over: Promise<Over>;
  /** Settled when the channel has closed as well. */
  readonly gone: Promise<void>;
  /** Of the greeting: which start of the container answers, and which promises are weaker in it. */
  boot: string | undefined;
  weaker: readonly string[] = [];
  /** Runs that were begun here. */
  begun = 0;
  /** Runs that ended here, whose output is stored and still in the journal. */
  readonly settled: string[] = [];

  readonly #reader: FrameReader;
  readonly #listeners = new Map<string, (letter: Letter) => void>();
  readonly #end: (over: Over) => void;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #gaveUp = new AbortController();
  #phase: Phase = "opening";
  #pending: Buffer[];
  #channel: Channel | undefined;
  #stderr = "";
  #pulse: Pulse;
  #asked = 0;
  #pings = 0;
  #wallMs = 0;

  constructor(options: SessionOptions) {
    this.options = options;
    this.#reader = new FrameReader(this.nonce);
    this.#pending = [Buffer.from(program), calls.boot(this.nonce, options.lookS, options.idleS, options.dirs)];
    const now = performance.now();
    this.#pulse = { openedMs: now, heardMs: now, pingedMs: now, askedMs: null };
    const { promise, resolve } = Promise.withResolvers<Over>();
    this.over = promise;
    this.#end = resolve;
    const { pingMs, answerMs } = options.patience;
    this.#heartbeat = setInterval(() => this.#beat(), Math.max(5, Math.min(pingMs, answerMs) / 5)).unref();
    this.gone = this.#start();
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** How many runs listen. */
  get busy(): number {
    return this.#listeners.size;
  }

  /** A run's ear; one at a time for each id. */
  listen(id: string, listener: (letter: Letter) => void): () => void {
    if (this.#phase === "over") void this.over.then((over) => listener({ kind: "over", over }));
    else this.#listeners.set(id, listener);
    return () => {
      if (this.#listeners.get(id) === listener) this.#listeners.delete(id);
    };
  }

  /** Says something to the runner; false when the way is full, see `drained`. `asks`: an answer to it is due at once. */
  send(line: Buffer, asks = false): boolean {
    if (this.#phase === "over") return true;
    if (asks) {
      this.#asked += 1;
      this.#pulse.askedMs ??= performance.now();
    }
    if (this.#channel) return this.#channel.stdin.write(line);
    this.#pending.push(line);
    return true;
  }

  /** Empties the journal of what is settled, if that is so many runs at least. */
  forget(atLeast = 1): void {
    if (this.settled.length >= atLeast) this.send(calls.forget(this.settled.splice(0)));
  }

  /** Resolves when more can be sent, or nothing any more. */
  async drained(): Promise<void> {
    const stdin = this.#channel?.stdin;
    if (!stdin?.writableNeedDrain) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    stdin.once("drain", resolve);
    await Promise.race([promise, this.over]);
    stdin.off("drain", resolve);
  }

  /** The wall clock's time, in ms, of a moment of the pod's uptime. */
  wallMs(uptimeMs: number): number {
    return Math.round(this.#wallMs + uptimeMs);
  }

  /** Nothing new begins here any more. */
  retire(): void {
    this.#phase = next(this.#phase, "spent");
  }

  close(detail = "closed by this side"): void {
    this.forget();
    this.#finish("closed", { kind: "closed", detail, wrote: this.#wrote });
  }

  get #wrote(): boolean {
    return this.#channel !== undefined;
  }

  async #start(): Promise<void> {
    const { open, argv, openTimeoutMs } = this.options;
    const opened = await open(argv, { timeoutMs: openTimeoutMs, signal: this.#gaveUp.signal });
    if (opened.kind !== "open") return this.#finish("ended", { kind: "unopened", failure: opened, wrote: opened.kind === "unknown" });
    const { channel } = opened;
    channel.stdin.on("error", () => undefined); // the end of the channel says it
    channel.stderr.on("error", () => undefined);
    channel.stdout.on("error", () => undefined);
    if (this.#phase === "over") return channel.close();
    this.#channel = channel;
    this.#pulse.openedMs = performance.now();
    channel.stderr.on("data", (chunk: Buffer) => {
      this.#pulse.heardMs = performance.now();
      this.#stderr = (this.#stderr + chunk.toString()).slice(-MAX_STDERR);
    });
    channel.stdout.on("data", (chunk: Buffer) => this.#hear(chunk));
    channel.stdin.write(Buffer.concat(this.#pending));
    this.#pending = [];
    const exit = await channel.ended;
    this.#finish("ended", { kind: "ended", exit, stderr: this.#stderr, wrote: true });
  }

  #hear(chunk: Buffer): void {
    this.#pulse.heardMs = performance.now();
    for (const frame of this.#reader.push(chunk)) this.#take(frame);
  }

  #take(frame: Frame): void {
    if (this.#phase === "over") return;
    if ("id" in frame) {
      if (frame.kind === "state" || frame.kind === "tail" || frame.kind === "fed") this.#answered();
      this.#listeners.get(frame.id)?.({ kind: "frame", frame });
    } else if (frame.kind === "ready" && this.#phase === "opening") {
      this.#phase = next(this.#phase, "greeted");
      this.boot = frame.boot;
      this.weaker = frame.weaker;
      this.#wallMs = Date.now() - frame.uptimeMs;
    } else if (frame.kind === "refused" && this.#phase === "opening") {
      this.#finish("refused", { kind: "refused", why: frame.why, wrote: false });
    } else if (frame.kind !== "pong") {
      const detail = frame.kind === "garbage" ? frame.line : frame.kind;
      this.#finish("garbage", { kind: "garbage", detail, wrote: true });
    }
  }

  #answered(): void {
    this.#asked -= 1;
    this.#pulse.askedMs = this.#asked > 0 ? performance.now() : null;
  }

  #beat(): void {
    const now = performance.now();
    const verdict = judge(this.#phase, this.#pulse, now, this.options.patience);
    if (verdict === "dead") {
      const detail = this.#phase === "opening" ? "no greeting" : "no answer";
      this.#finish("silent", { kind: "silent", detail, wrote: this.#wrote });
    } else if (verdict === "ping") {
      this.#pulse.pingedMs = now;
      this.send(calls.ping(++this.#pings));
    }
  }

  #finish(happening: Happening, over: Over): void {
    if (this.#phase === "over") return;
    this.#phase = next(this.#phase, happening);
    clearInterval(this.#heartbeat);
    this.#gaveUp.abort();
    if (this.#channel) part(this.#channel, over.kind === "closed");
    this.#end(over);
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    for (const listener of listeners) listener({ kind: "over", over });
  }
}

const PARTING_MS = 2000;

// A shell that meets the end of its input goes by itself, and its kubectl with it; whoever does not answer is not asked.
function part(channel: Channel, asking: boolean): void {
  if (!asking) return channel.close();
  channel.stdin.end();
  const timer = setTimeout(() => channel.close(), PARTING_MS);
  void channel.ended.then(() => clearTimeout(timer));
}
