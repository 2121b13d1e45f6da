/** What a command wrote: bytes of one stream from one offset on. */
export type Piece = { stream: "stdout" | "stderr"; offset: number; data: Buffer };

/** One command to be run in a pod. Names and bounds are checked; what is wrong throws a RangeError before anything is sent. */
export type ExecRequest = {
  /** With `run`, the claim in the pod: what was claimed once never starts again. 1 to 100 of `A-Za-z0-9._-`. */
  jobId: string;
  /** Grows only when the command is really to be started anew. */
  run: number;
  /** Above 1: an earlier attempt may have started it, so it is attached to if it was. */
  attempt: number;
  /** An argv, or a text for the pod's own shell. */
  command: readonly string[] | string;
  /** Absolute; default is the container's. */
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  /** Is read anew for each try, so an iterable must give the same bytes again. */
  stdin?: Uint8Array | AsyncIterable<Uint8Array>;
  /** In its place: standard input that may still be being written, fed while the command runs. */
  liveStdin?: LiveInput;
  /** Counts in the pod, from the start of the command. */
  timeoutMs: number;
  /** Between TERM and KILL. */
  graceMs: number;
  /** Kept bytes of each stream; of a longer one also the last 64 KiB. */
  maxOutputBytes: number;
  /** Ends every other run in the pod before this one starts. */
  exclusive: boolean;
  /** Ids (`<jobId>.<run>`) of earlier runs in this pod that were never confirmed over: ended, or made unstartable. */
  fence: readonly string[];
  /** What earlier attempts have stored; output goes on from there. */
  from: { stdout: number; stderr: number };
  /** Only for images without a shell: takes kubectl's exit code 0 for the command's. */
  trustKubectl?: boolean;
};

/** Standard input that is fed to a command while it runs. */
export type LiveInput = {
  /** Bytes from an offset on, at most `maxBytes`: waits for the first of them; null at the end. A rejection ends the call with it. */
  read(offset: number, maxBytes: number, signal: AbortSignal): Promise<Uint8Array | null>;
  /** Everything before this offset is in the pod: it will not be read again. */
  taken(offset: number): void;
};

/** What came of a command. Only `ended` carries an exit code, and only the journal's. */
export type ExecOutcome =
  | {
      kind: "ended";
      /** 128 + n after a signal. */
      exitCode: number;
      /** Set if podq ended it. */
      why?: "timeout" | "cancel";
      /** Only of a signal that podq sent. */
      signal?: "SIGTERM" | "SIGKILL";
      startedAt: Date;
      endedAt: Date;
      /** True totals, unless `atLeast`. */
      stdoutBytes: number;
      stderrBytes: number;
      atLeast?: true;
      /** Some of the output was not kept. */
      truncated: boolean;
      /** Processes of it that live on. */
      leftRunning: number;
      /** There may be more of them: what appeared while it ran can be another run's, or another user's. */
      unverified?: true;
      /** Promises that this image or pod cannot hold in full: "setsid", "journal", "kubectl". */
      weaker?: string[];
    }
  /** It did not start, and never will; or it ended in a way with a known meaning. */
  | { kind: "failed"; code: FailedCode; message: string }
  /** Nobody can say. `settled`: nothing of it runs any more; otherwise it is to be fenced later on. */
  | { kind: "lost"; code: "outcome-unknown" | "pod-replaced"; message: string; settled: boolean; stdoutBytes: number; stderrBytes: number }
  /** Left running in the pod, for another attempt. */
  | { kind: "detached" }
  /** The way to the pod is down. `mayHaveStarted`: only a later attempt with the same `run` can tell. */
  | { kind: "unreachable"; code: UnreachableCode; message: string; mayHaveStarted: boolean };

/** Why a command did not start. */
export type FailedCode =
  | "timed-out"
  | "cancelled"
  | "cwd-not-found"
  | "journal-unavailable"
  | "pod-not-running"
  | "no-shell"
  | "command-not-found"
  | "internal";

/** What is wrong with the way to a pod. */
export type UnreachableCode =
  | "host-unreachable"
  | "host-key-mismatch"
  | "host-auth-failed"
  | "kubectl-missing"
  | "cluster-unreachable"
  | "forbidden"
  | "internal";

/** Signals that a running command can be sent. */
export type SignalName = keyof typeof signalNumbers;

/** Their numbers, which every Linux but that of MIPS and SPARC shares. */
export const signalNumbers = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGTERM: 15,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGWINCH: 28,
} as const;

/** What became of a signal: the command's group has it; the same, but the command ignores it; the command had ended; no way to send it. */
export type SignalAnswer = "sent" | "ignored" | "too-late" | "impossible";

/** Signals for one run, in the order of `n`. Each is sent once, however often it is asked for and by whomever. */
export type SignalSource = {
  /** Those that have no answer yet. */
  pending: () => readonly { n: number; signal: SignalName }[];
  /** Calls back when there may be one more, until the returned function is called. */
  onMore: (heard: () => void) => () => void;
  answer: (n: number, answer: SignalAnswer) => void;
};

/** The caller's hold on a running command. */
export type ExecControl = {
  /** Ends it in the pod. */
  cancel: AbortSignal;
  /** Leaves it alone and returns. */
  detach: AbortSignal;
  /** What it is to be sent. Default: nothing. */
  signals?: SignalSource;
  /** Takes output, in order within each stream. No more is fetched while two slices wait; a rejection ends the call with it. */
  onOutput(pieces: Piece[]): Promise<void>;
};

/** The pod that commands run in. */
export type ExecTarget = { namespace: string; pod: string; podUid: string };
