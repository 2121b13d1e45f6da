// The lives of jobs: that each comes to an end, for a reason that there is, by moves that there are.
import { isTerminal, jobStates, mayJobMove, type JobState } from "@podq/jobs";
import { callsOf, groupBy, type History, type JobRecord, type Violation } from "./history.ts";

/** Accepted jobs that are not on record, and different jobs for one idempotency key. */
export function kept({ events, jobs }: History): Violation[] {
  const records = new Set(jobs.map(({ id }) => id));
  const calls = callsOf(events);
  const lost = calls.flatMap(({ ref, jobId, acceptedAtMs }) =>
    acceptedAtMs === null || jobId === null || records.has(jobId)
      ? []
      : [{ rule: "accepted-lost", jobs: [jobId], message: `${ref} was accepted as ${jobId}, which is not on record` }],
  );
  const keyed = groupBy(
    calls.filter(({ key, acceptedAtMs }) => key !== null && acceptedAtMs !== null),
    ({ pod, key }) => `${pod} ${key}`,
  );
  const split = [...keyed].flatMap(([key, all]) => {
    const ids = [...new Set(all.map(({ jobId }) => jobId!))];
    return ids.length === 1 ? [] : [{ rule: "idempotency", jobs: ids, message: `one key, ${ids.length} jobs: ${key}` }];
  });
  return [...lost, ...split];
}

/** Jobs that have not ended when all is over. */
export function unfinished({ jobs }: History): Violation[] {
  return jobs
    .filter(({ state }) => !isTerminal(state))
    .map(({ id, state, attempts }) => ({ rule: "unfinished", jobs: [id], message: `it is ${state} after ${attempts.length} attempts` }));
}

/** Moves that the table of states does not have, on record or as told. */
export function moves({ events, jobs }: History): Violation[] {
  const found: Violation[] = [];
  for (const { id, history } of jobs)
    history.slice(1).forEach((step, i) => {
      const before = history[i]!;
      const stays = before.state === step.state && !isTerminal(step.state);
      if (!stays && !mayJobMove(before.state, step.state))
        found.push({
          rule: "move",
          jobs: [id],
          message: `on record it went from ${before.state} (attempt ${before.attempt}) to ${step.state} (attempt ${step.attempt})`,
        });
    });
  const states = events.filter((event) => event.event === "state");
  for (const told of groupBy(states, ({ jobId, listener }) => `${jobId} ${listener}`).values())
    told.slice(1).forEach((step, i) => {
      const before = told[i]!;
      if (step.version < before.version || !mayReach(before.state as JobState, step.state as JobState))
        found.push({
          rule: "move",
          jobs: [step.jobId],
          message: `told ${before.state} (version ${before.version}), then ${step.state} (version ${step.version})`,
        });
    });
  return [...found, ...differing(events, jobs)];
}

// What was told as an end is the end on record.
function differing(events: History["events"], jobs: readonly JobRecord[]): Violation[] {
  const records = new Map(jobs.map((job) => [job.id, job]));
  return events.flatMap((event) => {
    const told =
      event.event === "result" ? event.result.state : event.event === "state" && isTerminal(event.state as JobState) ? event.state : null;
    if (told === null || !("jobId" in event) || event.jobId === null) return [];
    const state = records.get(event.jobId)?.state;
    return state === told
      ? []
      : [{ rule: "told-end", jobs: [event.jobId], message: `told ${told}, and it is ${state ?? "not"} on record` }];
  });
}

function mayReach(from: JobState, to: JobState): boolean {
  const reached = new Set<JobState>([from]);
  for (let size = 0; size < reached.size;) {
    size = reached.size;
    for (const state of jobStates) if ([...reached].some((before) => mayJobMove(before, state))) reached.add(state);
  }
  return reached.has(to);
}

/** Ends without a cause: a failure that nothing in the run explains. */
export function causes({ events, jobs }: History): Violation[] {
  const asked = new Map(callsOf(events).flatMap((call) => (call.jobId === null ? [] : [[call.jobId, call.asked] as const])));
  const cancelled = new Set(events.flatMap((event) => (event.event === "cancel-asked" ? [event.jobId] : [])));
  return [...groupBy(jobs, ({ podKey }) => podKey).values()].flatMap((ofPod) => {
    const clearing = ofPod.filter(({ clears }) => clears);
    const lifecycle = ofPod.filter(({ kind }) => kind !== "exec");
    const isOnTheWay = (atMs: number): boolean =>
      lifecycle.some(({ startedAtMs, endedAtMs }) => startedAtMs !== null && startedAtMs < atMs && atMs < (endedAtMs ?? Infinity));
    const harms = events.filter((event) => event.event === "harmed").filter((one) => one.pod === ofPod[0]?.podKey);
    let pod: PodIs = "not there";
    // As they ended, and not as they stand in line: two that were enqueued at once may run in either order.
    return ofPod
      .toSorted((a, b) => (a.endedAtMs ?? Infinity) - (b.endedAtMs ?? Infinity))
      .flatMap((job) => {
        const harmed = harms.some((harm) => isUnder(harm, job, ofPod));
        const before = harmed || (job.endedAtMs !== null && isOnTheWay(job.endedAtMs)) ? "unknown" : pod;
        if (isTerminal(job.state)) pod = podAfter(job, before);
        const request = asked.get(job.id);
        if (job.state === "succeeded" && !(request?.kind === "exec" && request.ends === "by-time-out")) return [];
        if (!isTerminal(job.state)) return [];
        if (job.state === "cancelled" && (cancelled.has(job.id) || clearing.some(({ seq }) => job.seq < seq))) return [];
        if (job.state === "cancelled" && job.expiry !== null) return [];
        if (job.error?.code === "conflict" && request?.kind === "create" && request.ifChanged === "reject") return [];
        if (job.kind === "exec" && job.state === "lost" && harmed) return [];
        if (job.error?.code === "timed-out" && request?.kind === "exec" && request.ends === "by-time-out") return [];
        if (job.error?.code === "pod-not-running" && (job.kind === "exec" ? before !== "there" : notToBeFound.has(before))) return [];
        const message = `it is ${job.state}: ${job.error?.code ?? ""} ${job.error?.message ?? ""}; before it the pod was ${before}`;
        return [{ rule: "cause", jobs: [job.id], message }];
      });
  });
}

// Until a job that began after the harm has shown that the pod is there again.
function isUnder(harm: { fromMs: number; toMs: number }, job: JobRecord, ofPod: readonly JobRecord[]): boolean {
  const beganAtMs = job.startedAtMs ?? job.endedAtMs ?? 0;
  const isShown = ofPod.some(
    ({ state, startedAtMs, endedAtMs }) => state === "succeeded" && (startedAtMs ?? 0) > harm.toMs && (endedAtMs ?? Infinity) <= beganAtMs,
  );
  return (job.endedAtMs ?? Infinity) >= harm.fromMs && !isShown;
}

type PodIs = "there" | "stopped" | "not there" | "unknown";

const notToBeFound: ReadonlySet<PodIs> = new Set<PodIs>(["not there", "unknown"]);
const leaves: Record<JobRecord["kind"], PodIs | "as it was"> = {
  create: "there",
  exec: "there",
  stop: "stopped",
  start: "there",
  restart: "there",
  expose: "as it was",
  unexpose: "as it was",
  delete: "not there",
};

function podAfter(job: JobRecord, before: PodIs): PodIs {
  const left = leaves[job.kind];
  if (left === "as it was") return before;
  if (job.state === "succeeded") return left;
  if (job.error?.code === "pod-not-running") return before;
  if (job.kind === "create" && job.error?.code === "conflict") return before;
  if (job.expiry !== null && job.state === "cancelled" && !job.cancelAsked) return before; // its time was not over after all
  return job.kind === "exec" && before !== "stopped" ? before : "unknown";
}
