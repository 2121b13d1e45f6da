import type { Readable, Writable } from "node:stream";

/** Why a command did not run to its end, or why nobody knows whether it did. */
export type FailureKind =
  | "not-started" // it never ran
  | "unknown" // the way was lost after the start: it may have run, in part or whole
  | "timeout" // its time was over
  | "aborted" // the caller's signal, the caller's close(), or too much output (then `cause` is an SshError "output-limit")
  | "unavailable" // the host cannot be reached
  | "host-key" // the host's key is not the known one
  | "auth" // the host refused the login
  | "closed"; // the pool is shutting down

/** A command that did not run to its end, with what it had written. */
export type Failure = {
  kind: FailureKind;
  message: string;
  cause?: unknown;
  stdout: Buffer;
  stderr: Buffer;
  /** True when no process of the command is left on the host, or none ever was. */
  stopped: boolean;
};

/** A command that ran to its end: exactly one of `code` and `signal` is set. */
export type Exit = { kind: "exit"; code: number | null; signal: string | null; stdout: Buffer; stderr: Buffer };

/** Options of one command: `stdin` is sent whole and closed; `timeoutMs` counts from the call, waiting for a free channel included. */
export type RunOptions = { stdin?: string | Uint8Array; timeoutMs?: number; signal?: AbortSignal };

/** Options of opening a channel: `timeoutMs` bounds the opening alone, `signal` too. */
export type OpenOptions = { timeoutMs?: number; signal?: AbortSignal };

/** A command on the host that is held open. All three streams must be used or resumed. */
export type Channel = {
  /** Bytes written after the command has left are dropped without an error; `ended` tells. */
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  /** How it ended, once both output streams have; never rejects. Its buffers are empty: the output went through the streams. */
  ended: Promise<Exit | Failure>;
  /** Ends the command on the host, also a silent one, and then the channel. */
  close: () => void;
};

/** Why a command is being stopped, or never got to start. */
export type Cause = { kind: FailureKind; message: string; cause?: unknown };

/** A failure from its cause, with what is known about the command. */
export function failure(cause: Cause, known: { stopped: boolean; stdout?: Buffer; stderr?: Buffer }): Failure {
  return { ...cause, stopped: known.stopped, stdout: known.stdout ?? Buffer.alloc(0), stderr: known.stderr ?? Buffer.alloc(0) };
}
