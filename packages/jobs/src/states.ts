// The life of a job and of a pod, as tables.
//
//   job   queued --> running --> succeeded | failed | cancelled | lost
//           |  ^        | |
//           |  +-retry--+ +--taken over--> running
//           +--> cancelled | failed
//
//   pod   created --> running <--> stopped          any --> error --> running | stopped | deleting
//         any --> deleting --> deleted --> created (the next generation)
//         error after a failed delete --> created (the next generation)

/** Every state of a job. */
export const jobStates = ["queued", "running", "succeeded", "failed", "cancelled", "lost"] as const;
/** A state of a job. */
export type JobState = (typeof jobStates)[number];

/** A state in which a job stays. */
export type TerminalState = "succeeded" | "failed" | "cancelled" | "lost";

const jobMoves: Record<JobState, readonly JobState[]> = {
  queued: ["running", "cancelled", "failed"],
  running: ["running", "queued", "succeeded", "failed", "cancelled", "lost"],
  succeeded: [],
  failed: [],
  cancelled: [],
  lost: [],
};

/** Whether a job may go from one state to the other. */
export function mayJobMove(from: JobState, to: JobState): boolean {
  return jobMoves[from].includes(to);
}

/** Whether a job in this state has come to its end. */
export function isTerminal(state: JobState): state is TerminalState {
  return jobMoves[state].length === 0;
}

/** The states that keep a job in its pod's line. */
export const unfinishedStates = ["queued", "running"] as const satisfies readonly JobState[];

/** Every status of a pod. */
export const podStatuses = ["created", "running", "stopped", "error", "deleting", "deleted"] as const;
/** A status of a pod's record. */
export type PodStatus = (typeof podStatuses)[number];

const podMoves: Record<PodStatus, readonly PodStatus[]> = {
  created: ["created", "running", "stopped", "error", "deleting"],
  running: ["running", "stopped", "error", "deleting"],
  stopped: ["stopped", "running", "error", "deleting"],
  error: ["error", "running", "stopped", "deleting", "created"],
  deleting: ["deleting", "deleted", "error"],
  deleted: ["created"],
};

/** Whether a pod's record may go from one status to the other. */
export function mayPodMove(from: PodStatus, to: PodStatus): boolean {
  return podMoves[from].includes(to);
}
