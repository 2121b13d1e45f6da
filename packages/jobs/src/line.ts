// Who may run on a pod. The line is the unfinished jobs of one pod in the order of their `seq`:
//
//   head                                        tail
//   [p1 p2 p3] x4 [p5] c6        p: exec marked parallel, x: ordinary exec, c: create or delete
//    ^^^^^^^^ may run: the unbroken run of parallel execs at the head, up to the number of slots
//
// A turn is what a running job holds of its pod: all of its slots, or one.

/** How many parallel execs may share a pod. */
export const slotsPerPod = 8;

/** What the line needs to know of a job. */
export type InLine = { parallel: boolean };

function maySharePod(ahead: InLine, job: InLine): boolean {
  return ahead.parallel && job.parallel;
}

/** The jobs at the head of a line that may run: `line` is in order, unfinished jobs only. */
export function runnable<Job extends InLine>(line: readonly Job[]): Job[] {
  const [head] = line;
  if (head === undefined) return [];
  const end = line.findIndex((job) => !maySharePod(head, job));
  return head.parallel ? line.slice(0, end === -1 ? slotsPerPod : Math.min(end, slotsPerPod)) : [head];
}

/** The one job that may run when the head of a line has ended; undefined if that may be none, or several. */
export function successor<Job extends InLine>([head, second]: readonly Job[]): Job | undefined {
  return head?.parallel || second?.parallel ? undefined : second;
}

/** The entries of `turn` that a job holds while it runs: every slot of its pod, or the one given. Unique over all jobs. */
export function turnOf(podKey: string, slot: number | "all"): string[] {
  return slot === "all" ? Array.from({ length: slotsPerPod }, (_, n) => `${podKey}#${n}`) : [`${podKey}#${slot}`];
}
