import type { Channel } from "../run.ts";
import { bulkProgram } from "./program.ts";
import type { Session } from "./session.ts";

/** Pieces that go in raw are this long: each costs the pod three forks. */
export const BULK_BYTES: number = 1024 * 1024;

/** A way for raw pieces of one run's standard input, beside its session. */
export type Bulk = {
  /** Sends a piece, and resolves when there is room for more. */
  send: (offset: number, piece: Uint8Array) => Promise<void>;
  /** Whether it has ended: what was sent may not have arrived. */
  readonly over: boolean;
  close: () => void;
};

const READY_MS = 10_000;

/** Opens that way; undefined if it cannot be had: the host has no channel to spare, or the image's dd does not do. */
export async function openBulk(session: Session, id: string, signal: AbortSignal): Promise<Bulk | undefined> {
  const { open, argv, dirs, openTimeoutMs } = session.options;
  const opened = await open([...argv, "-c", bulkProgram, "podq-bulk", id, session.nonce, ...dirs], { timeoutMs: openTimeoutMs, signal });
  if (opened.kind !== "open") return undefined;
  const { channel } = opened;
  let over = false;
  const gone = channel.ended.then(() => void (over = true));
  for (const stream of [channel.stdin, channel.stdout, channel.stderr]) stream.on("error", () => undefined); // the end of the channel says it
  channel.stderr.resume();
  if (!(await saysReady(channel, gone, signal))) {
    channel.close();
    return undefined;
  }
  return {
    get over() {
      return over;
    },
    async send(offset, piece) {
      if (over) return;
      channel.stdin.write(`${offset} ${piece.length}\n`);
      if (channel.stdin.write(piece)) return;
      const drained = Promise.withResolvers<void>();
      channel.stdin.once("drain", drained.resolve);
      await Promise.race([drained.promise, gone, aborted(signal)]);
      channel.stdin.off("drain", drained.resolve);
    },
    close() {
      over = true;
      channel.close();
    },
  };
}

async function saysReady(channel: Channel, gone: Promise<void>, signal: AbortSignal): Promise<boolean> {
  const heard = Promise.withResolvers<boolean>();
  let text = "";
  channel.stdout.on("data", (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-64);
    if (/^ready$/m.test(text)) heard.resolve(true);
  });
  const timer = setTimeout(() => heard.resolve(false), READY_MS);
  const ready = await Promise.race([heard.promise, gone.then(() => false), aborted(signal).then(() => false)]);
  clearTimeout(timer);
  return ready;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
}
