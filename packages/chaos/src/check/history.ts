import type { JobState, Kind } from "@podq/jobs";
import type { Mark } from "../work/command.ts";
import type { Asked, Event } from "../work/told.ts";

/** A job as MongoDB has it, as far as the checker reads it. Times in ms since the epoch by MongoDB's clock. */
export type JobRecord = {
  id: string;
  kind: Kind;
  podKey: string;
  /** Its place in line, comparable among the jobs of one pod. */
  seq: number;
  state: JobState;
  parallel: boolean;
  token: string | null;
  run: number;
  attempts: { n: number; worker: string; startedAtMs: number; endedAtMs: number | null; why: string | null }[];
  cancelAsked: boolean;
  /** A job by which a pod's time ends, and `key` its deadline; null: one that somebody asked for. */
  expiry: "ttl" | "idle" | null;
  key: string | null;
  /** A create that says when the pod's time is over. */
  givesTtl: boolean;
  /** The image that a create asked for, and the template, `name@version`. */
  askedImage: string | null;
  askedTemplate: string | null;
  /** The pod's generation, image and template as its end told them, and how much of it is other than was asked. */
  made: { generation: number; image: string; template: string | null; differs: number } | null;
  /** A delete that cancels what is before it. */
  clears: boolean;
  exitCode: number | null;
  error: { code: string; message: string } | null;
  hasTurn: boolean;
  history: { version: number; state: JobState; attempt: number }[];
  startedAtMs: number | null;
  endedAtMs: number | null;
  /** What is stored of its output, of its last run. */
  stdout: string;
  stderr: string;
};

/** Everything that is known of a run, from three independent sides: callers, MongoDB, and the commands themselves. */
export type History = {
  events: readonly Event[];
  jobs: readonly JobRecord[];
  marks: readonly Mark[];
  /** What to add to an event's time to get MongoDB's. */
  epochMs: number;
  /** What was left when all was over, a sentence each. */
  left: readonly string[];
};

/** A promise that was broken. */
export type Violation = { rule: string; jobs: string[]; message: string };

/** A call of a caller, and what came of it. */
export type Call = {
  ref: string;
  pod: string;
  asked: Asked;
  key: string | null;
  calledAtMs: number;
  acceptedAtMs: number | null;
  jobId: string | null;
};

/** The calls, in the order in which they were made. */
export function callsOf(events: readonly Event[]): Call[] {
  const calls = new Map<string, Call>();
  for (const event of events) {
    if (event.event === "called") {
      const { ref, pod, asked, key, atMs } = event;
      calls.set(ref, { ref, pod, asked, key, calledAtMs: atMs, acceptedAtMs: null, jobId: null });
    }
    const call = event.event === "accepted" || event.event === "refused" ? calls.get(event.ref) : undefined;
    if (call !== undefined && event.event === "accepted") Object.assign(call, { acceptedAtMs: event.atMs, jobId: event.jobId });
    if (call !== undefined && event.event === "refused") call.jobId = event.jobId;
  }
  return [...calls.values()];
}

/** One start of a command, from its first mark to its last. */
export type Start = { token: string; run: string; fromS: number; toS: number; exitCode: number | null };

/** The starts, by the commands' own word. */
export function startsOf(marks: readonly Mark[]): Start[] {
  const starts = new Map<string, Start>();
  for (const { kind, token, run, atS, value } of marks) {
    const key = `${token} ${run}`;
    const start = starts.get(key) ?? { token, run, fromS: atS, toS: atS, exitCode: null };
    starts.set(key, start);
    start.fromS = Math.min(start.fromS, atS);
    start.toS = Math.max(start.toS, atS);
    if (kind === "end") start.exitCode = value;
  }
  return [...starts.values()];
}

/** The values of a list under a key each. */
export function groupBy<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}
