import type { SignalName } from "./signals.ts";

/** What is known of an exec's command, as it is kept in the job's record. Unknown parts are null. Output is kept apart, in chunks. */
export type ExecRecord = {
  /** 128+n after a signal, as in any shell. Only ever what the runner in the pod wrote down. */
  exitCode: number | null;
  /** The signal that podq itself sent, if it did. */
  signal: SignalName | null;
  /** Bytes that the command wrote, kept or not; a lower bound if `atLeast`. */
  stdoutBytes: number;
  stderrBytes: number;
  atLeast: boolean;
  /** Whether not all of the output was kept. */
  truncated: boolean;
  /** How many processes of the command were left in the pod; null where that cannot be known. */
  leftRunning: number | null;
  /** Whether there may be more of them: what appeared in the pod meanwhile can be a parallel command's, or another user's. */
  unverified: boolean;
  startedAt: Date | null;
  endedAt: Date | null;
  /** How often the running command was picked up again. */
  attached: number;
  /** In which of podq's promises this result is weaker, in words. Empty for images with a shell. */
  weaker: string[];
};
