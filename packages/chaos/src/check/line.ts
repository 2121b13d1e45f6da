// Order and exclusion in each pod.
import { callsOf, groupBy, startsOf, type Call, type History, type JobRecord, type Violation } from "./history.ts";

/** Two commands of one pod at once, of which one did not say `parallel`. */
export function overlaps({ jobs, marks }: History): Violation[] {
  const byToken = new Map(jobs.flatMap((job) => (job.token === null ? [] : [[job.token, job] as const])));
  const starts = startsOf(marks).flatMap((start) => {
    const job = byToken.get(start.token);
    return job === undefined ? [] : [{ ...start, job }];
  });
  return [...groupBy(starts, ({ job }) => job.podKey).values()].flatMap((ofPod) => {
    const inOrder = ofPod.toSorted((a, b) => a.fromS - b.fromS);
    return inOrder.flatMap((one, i) => {
      const found: Violation[] = [];
      for (const other of inOrder.slice(i + 1)) {
        if (other.fromS >= one.toS) break;
        if (one.job.parallel && other.job.parallel) continue;
        const message = `${other.token} started at ${other.fromS} s while ${one.token} ran from ${one.fromS} to ${one.toS} s`;
        found.push({ rule: "overlap", jobs: [one.job.id, other.job.id], message });
      }
      return found;
    });
  });
}

/** A job that ran before one that was accepted before it was asked for. */
export function turnedRound({ events, jobs, marks }: History): Violation[] {
  const records = new Map(jobs.map((job) => [job.id, job]));
  const starts = groupBy(startsOf(marks), ({ token }) => token);
  const asked = callsOf(events).flatMap((call) => {
    const job = call.jobId === null ? undefined : records.get(call.jobId);
    return job === undefined ? [] : [{ call, job }];
  });
  return [...groupBy(asked, ({ job }) => job.podKey).values()].flatMap((ofPod) => {
    const inOrder = ofPod.toSorted((a, b) => a.call.calledAtMs - b.call.calledAtMs);
    return inOrder.flatMap((second, i) =>
      inOrder.slice(0, i).flatMap((first) => {
        if (!isBefore(first.call, second.call) || first.job.id === second.job.id) return [];
        const wrong = ranBefore(second.job, first.job, starts);
        return wrong === null ? [] : [{ rule: "order", jobs: [first.job.id, second.job.id], message: wrong }];
      }),
    );
  });
}

function isBefore(first: Call, second: Call): boolean {
  return first.acceptedAtMs !== null && first.acceptedAtMs < second.calledAtMs;
}

// Parallel ones may share the pod. What never started was never before anybody.
function ranBefore(second: JobRecord, first: JobRecord, starts: ReadonlyMap<string, { fromS: number; toS: number }[]>): string | null {
  if (first.parallel && second.parallel) return null;
  const [firstRuns, secondRuns] = [first, second].map(({ token }) => (token === null ? [] : (starts.get(token) ?? [])));
  const firstUntil = Math.max(...firstRuns!.map(({ toS }) => toS));
  const secondFrom = Math.min(...secondRuns!.map(({ fromS }) => fromS));
  if (secondFrom < firstUntil)
    return `${second.id} was asked for after ${first.id} was accepted, and started ${(firstUntil - secondFrom).toFixed(2)} s before that had ended`;
  if (second.startedAtMs === null || first.startedAtMs === null) return null;
  if (first.endedAtMs === null) return `${second.id} was claimed although ${first.id}, accepted before it was asked for, has not ended`;
  return second.startedAtMs < first.endedAtMs
    ? `${second.id} was asked for after ${first.id} was accepted, and was claimed ${first.endedAtMs - second.startedAtMs} ms before that had ended`
    : null;
}
