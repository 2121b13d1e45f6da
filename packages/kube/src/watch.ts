import { StringDecoder } from "node:string_decoder";
import { setTimeout as delay } from "node:timers/promises";
import { KubeError } from "./errors.ts";
import { exitError, failureError } from "./kubectl.ts";
import type { Bounds, Kubectl } from "./kubectl.ts";
import type { Channel } from "./run.ts";

/** One line of a raw watch. */
export type WatchEvent<T> = { type: "ADDED" | "MODIFIED" | "DELETED"; object: T };

/**
 * What a watch tells: `opened` before the first event and again after a gap, when all that exists is told anew. `bookmark`: all changes up
 * to this resourceVersion were told. `expired`: the server does not know any more what came after the one that was asked for.
 */
export type WatchListener<T> = {
  opened?: () => void;
  event: (event: WatchEvent<T>) => void;
  bookmark?: (resourceVersion: string) => void;
  expired?: () => void;
};

// The API server ends a watch after this; it is opened again.
const MAX_WATCH_SECONDS = 300;
const REOPEN_MS = 250;

/**
 * Watches a list until `signal` fires (then it resolves) or the time is over. `path` has a query already. A watch without a
 * resourceVersion begins with all that exists, so it has no gap; it is opened again whenever the server ends it. Rejects with
 * KubeError if there is no way to the cluster.
 */
export async function watch<T>(kubectl: Kubectl, path: string, bounds: Bounds, listener: WatchListener<T>): Promise<void> {
  const over = (): boolean => bounds.signal?.aborted === true || performance.now() >= bounds.until;
  while (!over()) {
    await watchOnce(kubectl, path, bounds, listener);
    // A server that ends each watch at once is not to be asked in a tight loop.
    if (!over()) await delay(REOPEN_MS, undefined, bounds.signal ? { signal: bounds.signal } : {}).catch(() => undefined);
  }
}

/** The same until the server ends the watch: for one that begins at a resourceVersion, and must be read anew after it. */
export async function watchOnce<T>(kubectl: Kubectl, path: string, bounds: Bounds, listener: WatchListener<T>): Promise<void> {
  const seconds = Math.max(1, Math.min(MAX_WATCH_SECONDS, Math.ceil((bounds.until - performance.now()) / 1000)));
  let channel: Channel;
  try {
    channel = await kubectl.hold(`${path}&watch=1&timeoutSeconds=${seconds}`, bounds);
  } catch (error) {
    if (bounds.signal?.aborted === true || performance.now() >= bounds.until) return;
    throw error;
  }
  listener.opened?.();
  await follow(channel, bounds, listener);
}

// Reads one channel to its end, closing it when the signal fires.
async function follow<T>(channel: Channel, { signal, until }: Bounds, listener: WatchListener<T>): Promise<void> {
  let stderr = "";
  channel.stdin.on("error", () => undefined).end();
  channel.stderr.on("data", (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-4_096))).on("error", () => undefined);
  const stopped = Promise.withResolvers<"stopped">();
  const stop = (): void => stopped.resolve("stopped");
  const timer = setTimeout(stop, Math.max(0, until - performance.now()));
  signal?.addEventListener("abort", stop);
  if (signal?.aborted) stop();
  try {
    const read = readLines(channel, (line) => {
      if (!signal?.aborted) deliver(line, listener);
    });
    const end = await Promise.race([stopped.promise, read.then(() => channel.ended)]);
    if (end === "stopped") return;
    if (end.kind !== "exit") throw failureError(end);
    if (end.code !== 0) throw exitError({ ...end, stderr: Buffer.from(stderr) });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
    channel.close();
  }
}

function deliver<T>(line: string, listener: WatchListener<T>): void {
  let event: { type: string; object: T };
  try {
    event = JSON.parse(line);
  } catch (cause) {
    throw new KubeError("internal", "a watch sent a line that is not JSON", { cause });
  }
  const { type, object } = event;
  if (type === "ADDED" || type === "MODIFIED" || type === "DELETED") listener.event({ type, object });
  // An ERROR is followed by the stream's end: opened without a resourceVersion, it starts from what exists.
  else if (type === "ERROR") listener.expired?.();
  else if (type === "BOOKMARK") listener.bookmark?.((object as { metadata: { resourceVersion: string } }).metadata.resourceVersion);
}

async function readLines({ stdout }: Channel, onLine: (line: string) => void): Promise<void> {
  const decoder = new StringDecoder("utf8");
  const ended = Promise.withResolvers<void>();
  let rest = "";
  stdout.on("data", (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split("\n");
    rest = lines.pop() ?? "";
    try {
      for (const line of lines) if (line !== "") onLine(line);
    } catch (error) {
      ended.reject(error);
    }
  });
  // What is behind the last newline was cut off, and comes again when the watch is opened again.
  stdout.once("end", ended.resolve).once("close", ended.resolve).once("error", ended.resolve);
  await ended.promise;
}
