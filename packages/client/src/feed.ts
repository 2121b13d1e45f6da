import { setTimeout as delay } from "node:timers/promises";
import { isTerminal } from "@podq/jobs";
import type { Listener } from "@podq/queue";
import { isUnreachable, type Store } from "@podq/store";
import { inputNudges, type Line } from "./dispatch.ts";
import { watchJob } from "./watch.ts";

/** Standard input that is written while the command runs: a Node or web stream, or any other source of bytes and text. */
export type InputStream = AsyncIterable<Uint8Array | string>;

/** The standard inputs that this process writes. */
export type Feeds = {
  /** Passes a source on to a job until one of them has ended, and resolves then. What goes wrong ends the job. */
  start: (jobId: string, source: InputStream) => Promise<void>;
  /** Cancels the jobs whose input has not ended, and resolves when nothing is passed on any more. */
  close: () => Promise<void>;
};

const chunkBytes = 1_048_576;
const windowBytes = 8_388_608; // stored and not yet in the pod
const beatMs = 10_000;
const lookMs = 250;
const pauseMs = 250;

/** Makes what passes inputs on. */
export function createFeeds(store: Store, line: Line, listener: Listener): Feeds {
  const closing = new AbortController();
  const running = new Set<Promise<void>>();
  return {
    async start(jobId, source) {
      const feeding = feed({ store, line, listener, jobId, closing: closing.signal }, source).finally(() => running.delete(feeding));
      running.add(feeding);
      return feeding;
    },
    async close() {
      closing.abort();
      await Promise.all(running);
    },
  };
}

type Feeding = { store: Store; line: Line; listener: Listener; jobId: string; closing: AbortSignal };

// Never rejects: what goes wrong here ends the job, and its result says so.
async function feed({ store, line, listener, jobId, closing }: Feeding, source: InputStream): Promise<void> {
  const done = new AbortController();
  const over = new AbortController();
  const stop = AbortSignal.any([closing, over.signal]);
  const beats = setInterval(() => {
    void store.jobs.beat(jobId).then(
      (alive) => alive || over.abort(),
      () => undefined, // the next one may get through
    );
  }, beatMs);
  const watching = watchForEnd(store, listener, jobId, AbortSignal.any([stop, done.signal]), () => over.abort()).catch(() => undefined);
  const drains = await watchJob(listener, inputNudges(jobId));
  let failure: string | undefined;
  let input: AsyncIterator<Uint8Array | string> | undefined;
  try {
    input = source[Symbol.asyncIterator]();
    let offset = 0;
    let begins = 0;
    const room = async (): Promise<void> => {
      while (offset - begins >= windowBytes) {
        begins = (await patiently(async () => store.input.begins(jobId), stop)) ?? offset;
        if (offset - begins >= windowBytes) await drains.next(stop);
      }
    };
    for await (const chunk of chunksOf(input, stop)) {
      await room();
      const at = offset;
      await patiently(async () => store.input.append(jobId, at, chunk), stop);
      offset += chunk.byteLength;
      void line.nudgeInput(jobId);
    }
    if (!stop.aborted) {
      await patiently(async () => store.input.append(jobId, offset, new Uint8Array()), stop);
      void line.nudgeInput(jobId);
    } else if (closing.aborted) failure = "its caller closed before the end of its standard input";
  } catch (error) {
    if (closing.aborted) failure = "its caller closed before the end of its standard input";
    else if (!over.signal.aborted) failure = `its standard input failed: ${error instanceof Error ? error.message : String(error)}`;
  }
  clearInterval(beats);
  done.abort();
  drains.stop();
  letGo(source, input);
  await watching;
  try {
    if (failure !== undefined && !over.signal.aborted) await line.cancel(jobId, failure);
    // What was stored after the job's end, nobody else removes.
    if (await isOver(store, jobId)) await store.input.remove(jobId);
  } catch {} // MongoDB is away: the worker finds that nobody writes any more
}

/** Tells a source that nobody will read on. */
export function letGo(source: InputStream, input: AsyncIterator<unknown> | undefined): void {
  try {
    // A stream of Node's that is being waited for would take the iterator's return for the next thing to do, after its next piece.
    if ("destroy" in source && typeof source.destroy === "function") source.destroy();
    else void input?.return?.()?.then(undefined, () => undefined);
  } catch {} // it cannot even be let go of
}

async function watchForEnd(store: Store, listener: Listener, jobId: string, stop: AbortSignal, ended: () => void): Promise<void> {
  const watch = await watchJob(listener, jobId);
  try {
    while (!stop.aborted) {
      if (await patiently(async () => isOver(store, jobId), stop)) return ended();
      await watch.next(stop);
      await delay(lookMs, undefined, { signal: stop }); // a command that writes much nudges often
    }
  } finally {
    watch.stop();
  }
}

async function isOver(store: Store, jobId: string): Promise<boolean> {
  const job = await store.jobs.get(jobId);
  return job === null || isTerminal(job.state);
}

async function patiently<T>(work: () => Promise<T>, stop: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isUnreachable(error) || stop.aborted) throw error;
      await delay(pauseMs, undefined, { signal: stop });
    }
  }
}

// What the source gives, small pieces that are there at once put together. Ends early when `stop` aborts, also while the source is silent.
async function* chunksOf(input: AsyncIterator<Uint8Array | string>, stop: AbortSignal): AsyncGenerator<Buffer> {
  const ask = async (): Promise<Buffer | null> => {
    const { done, value } = await input.next();
    return done === true ? null : bytesOf(value);
  };
  for (let asked: Promise<Buffer | null> | undefined, ended = false; !ended;) {
    const pieces: Buffer[] = [];
    for (let bytes = 0; bytes < chunkBytes;) {
      asked ??= ask();
      asked.catch(() => undefined); // whoever awaits it hears of it
      const piece = await (pieces.length === 0 ? unless(stop, asked) : unless(AbortSignal.abort(), asked));
      if (piece === undefined) break;
      asked = undefined;
      if (piece === null) {
        ended = true;
        break;
      }
      pieces.push(piece);
      bytes += piece.byteLength;
    }
    if (stop.aborted) return;
    const all = Buffer.concat(pieces);
    for (let at = 0; at < all.byteLength; at += chunkBytes) yield all.subarray(at, at + chunkBytes);
  }
}

// What was promised, or undefined once the signal has aborted and the promise had its chance.
async function unless<T>(signal: AbortSignal, promised: Promise<T>): Promise<T | undefined> {
  const done = new AbortController();
  const over = new Promise<undefined>((resolve) => {
    const aborted = (): void => void setImmediate(() => resolve(undefined));
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted, { once: true, signal: done.signal });
  });
  try {
    return await Promise.race([promised, over]);
  } finally {
    done.abort();
  }
}

function bytesOf(piece: unknown): Buffer {
  if (typeof piece === "string" || piece instanceof Uint8Array) return Buffer.from(piece);
  throw new TypeError(`it gave ${piece === null ? "null" : typeof piece}, where only text and bytes can go`);
}
