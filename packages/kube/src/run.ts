// The port: how kube gets a command run on the host that reaches the cluster. Whoever composes a process hands over functions
// of these types; kube knows nothing of SSH.
import type { Readable, Writable } from "node:stream";

/** Why a command did not run to its end, or why nobody knows whether it did. */
export type FailureKind =
  | "not-started" // it never ran
  | "unknown" // the way was lost after the start: it may have run, in part or whole
  | "timeout" // its time was over; it has been ended on the host as far as the host can tell
  | "aborted" // the caller's signal; ended likewise
  | "unavailable" // the host cannot be reached
  | "host-key" // the host's key is not the known one
  | "auth" // the host refused the login
  | "closed"; // this side is shutting down

/** A command that did not run to its end, with what it had written. */
export type Failure = { kind: FailureKind; message: string; cause?: unknown; stdout: Buffer; stderr: Buffer };

/** A command that ran to its end: exactly one of `code` and `signal` is set. */
export type Exit = { kind: "exit"; code: number | null; signal: string | null; stdout: Buffer; stderr: Buffer };

/** Options of one command: `stdin` is sent whole and closed; `timeoutMs` counts from the call, waiting for a free channel included. */
export type RunOptions = { stdin?: string | Uint8Array; timeoutMs?: number; signal?: AbortSignal };

/** Runs an argv on the host and collects its output. Never rejects: how it went is the value. */
export type Run = (argv: readonly string[], options?: RunOptions) => Promise<Exit | Failure>;

/** A command on the host that is held open. All three streams must be used or resumed; `close` ends the command. */
export type Channel = {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  /** How it ended, once both output streams have; never rejects. Its buffers are empty: the output went through the streams. */
  ended: Promise<Exit | Failure>;
  close: () => void;
};

/** Options of opening a channel: `timeoutMs` bounds the opening alone, `signal` too. */
export type OpenOptions = { timeoutMs?: number; signal?: AbortSignal };

/** Starts an argv on the host and holds the channel to it. Never rejects. */
export type Open = (argv: readonly string[], options?: OpenOptions) => Promise<{ kind: "open"; channel: Channel } | Failure>;
