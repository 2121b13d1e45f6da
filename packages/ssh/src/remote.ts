// One channel to one command, with the corners of ssh2's streams rounded off.
import { Readable, Writable } from "node:stream";
import type { ClientChannel } from "ssh2";

/** How a command ended: by itself, or nobody knows. */
export type Ended = { code: number | null; signal: string | null } | "lost";

/** A command that runs on the host. */
export type Remote = {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  /** Once the channel is closed and both outputs have been read to their end, destroyed or dropped. */
  ended: Promise<Ended>;
  /** Once the host has given the channel back. */
  released: Promise<void>;
  /** Once this side has closed the channel. */
  closing: Promise<void>;
  /** True once the command's exit is known, though a child of it may still hold the outputs. */
  exited(): boolean;
  /** Asks the host to close the channel, ends both outputs here and drops what still comes. Does not end the command. */
  close(): void;
  /** Sends a signal, as KILL. Lost on a root login, and after the end of stdin. */
  signal(name: string): void;
  /** The connection is gone: nobody answers any more. */
  cut(): void;
};

/** Wraps a channel. It is closed `lingerMs` after the command's exit if nothing moves any more, though a child holds the outputs. */
export function wrapChannel(channel: ClientChannel, lingerMs: number): Remote {
  let exit: { code: number | null; signal: string | null } | undefined;
  let moved = 0;
  let timer: NodeJS.Timeout | undefined;
  const stdin = inlet(channel);
  const stdout = outlet(channel, () => (moved += 1));
  const stderr = outlet(channel.stderr, () => (moved += 1));
  const closing = Promise.withResolvers<void>();
  const released = new Promise<void>((resolve) => channel.once("close", () => resolve()));

  // A lingering channel costs a slot, and keeps ssh2 from answering the host's keepalive: that would end the connection.
  const watchLinger = (seen: number): void => {
    timer = setTimeout(() => {
      const unread = channel.readableLength + channel.stderr.readableLength + stdout.stream.readableLength + stderr.stream.readableLength;
      if (seen !== moved || unread > 0) return watchLinger(moved);
      closing.resolve();
      channel.close();
    }, lingerMs);
  };
  channel.on("exit", (code: number | null, signal?: string) => {
    exit = { code: code ?? null, signal: signal ?? null };
    watchLinger(moved);
  });
  void released.then(() => clearTimeout(timer));
  channel.on("error", () => {}); // a write that comes too late; what happened is told by `ended`
  channel.stderr.on("error", () => {});

  return {
    stdin: stdin.stream,
    stdout: stdout.stream,
    stderr: stderr.stream,
    released,
    closing: closing.promise,
    ended: Promise.all([released, stdout.over, stderr.over]).then(() => exit ?? "lost"),
    exited: () => exit !== undefined,
    close: () => {
      stdout.drop();
      stderr.drop();
      stdin.cut();
      closing.resolve();
      channel.close();
    },
    signal: (name) => channel.signal(name),
    cut: () => {
      clearTimeout(timer);
      stdin.cut();
    },
  };
}

// ssh2 never calls back for a write on a channel that has gone, and fails one after its end: here both just vanish.
function inlet(channel: ClientChannel): { stream: Writable; cut: () => void } {
  let over = false;
  let waiting: (() => void) | undefined;
  const settle = (): void => {
    const done = waiting;
    waiting = undefined;
    done?.();
  };
  const cut = (): void => {
    over = true;
    settle();
  };
  channel.once("close", cut);
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (over || !channel.writable) return done();
      waiting = done;
      channel.write(chunk, settle);
    },
    final: (done) => {
      if (!over) channel.end();
      done();
    },
  });
  return { stream, cut };
}

type Outlet = { stream: Readable; over: Promise<void>; drop: () => void };

// A side that nobody reads would stop the other one too, as both share a window, and the channel would never close.
function outlet(source: Readable, onData: () => void): Outlet {
  const stream = new Readable({
    read: () => void source.resume(),
    destroy: (error, done) => {
      source.resume();
      done(error);
    },
  });
  let ended = false;
  const over = Promise.withResolvers<void>();
  const end = (): void => {
    if (!ended && !stream.destroyed) stream.push(null);
    ended = true;
  };
  source.on("data", (chunk: Buffer) => {
    onData();
    if (!ended && !stream.destroyed && !stream.push(chunk)) source.pause();
  });
  source.on("end", end);
  stream.once("close", over.resolve);
  const drop = (): void => {
    end();
    source.resume();
    over.resolve();
  };
  return { stream, over: over.promise, drop };
}
