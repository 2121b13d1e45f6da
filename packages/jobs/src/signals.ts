/** Signals that a running command can be sent. */
export const signalNames = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGKILL",
  "SIGUSR1",
  "SIGUSR2",
  "SIGTERM",
  "SIGCONT",
  "SIGSTOP",
  "SIGTSTP",
  "SIGWINCH",
] as const;
/** One of them. */
export type SignalName = (typeof signalNames)[number];

/** What can become of a signal. */
export const signalAnswers = ["sent", "ignored", "too-late", "impossible"] as const;
/**
 * What became of a signal: `sent` to all of the command's process group; `ignored`, sent too, but the command ignores it;
 * `too-late`, since the command had ended; `impossible`, since the image has no shell or the command runs as another user.
 */
export type SignalAnswer = (typeof signalAnswers)[number];

/** A signal as a job's record has it; `n` counts those of the job, `answer` is null until the pod has said. */
export type SignalRecord = { n: number; signal: SignalName; at: Date; answer: SignalAnswer | null };
