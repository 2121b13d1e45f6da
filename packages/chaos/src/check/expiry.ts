// Pods whose time is over: what ends them looks once more at its turn.
import { groupBy, type History, type JobRecord, type Violation } from "./history.ts";

/** How long a pod may be idle where the run says that it may not be for ever. */
export const idleAfterMs = 2_000;

// MongoDB's clock and a caller's differ by their rounding.
const roundingMs = 5;

/** Ends of pods that came too early, in spite of a job or of a report of use, or twice for one life. */
export function expiries(history: History): Violation[] {
  return [...groupBy(history.jobs, ({ podKey }) => podKey).values()].flatMap((ofPod) => {
    const ended = ofPod.filter(({ expiry, state }) => expiry !== null && state === "succeeded");
    return [
      ...ended.flatMap((job) => (job.expiry === "ttl" ? tooEarly(job, ofPod, history) : notIdle(job, ofPod, history))),
      ...twice(ended),
    ];
  });
}

type Extended = Extract<History["events"][number], { event: "extended" }>;

// When the attempt began that ended the pod: its look at the record is later.
function begunAtMs({ attempts }: JobRecord): number {
  return attempts.at(-1)!.startedAtMs;
}

// `podq:ttl:<generation>:<deadline>`
function deadlineOf({ key }: JobRecord): { generation: number; atMs: number } {
  const [, generation = "", at = ""] = /^podq:\w+:(\d+):(.+)$/.exec(key ?? "") ?? [];
  return { generation: Number(generation), atMs: Date.parse(at) };
}

function reports({ events }: History, { podKey, attempts }: JobRecord): Extended[] {
  const before = attempts[0]!.startedAtMs - roundingMs;
  return events.filter((event) => event.event === "extended").filter(({ pod, usedAtMs }) => pod === podKey && usedAtMs < before);
}

function tooEarly(job: JobRecord, ofPod: readonly JobRecord[], history: History): Violation[] {
  const { generation, atMs } = deadlineOf(job);
  const found = (message: string): Violation[] => [{ rule: "expiry", jobs: [job.id], message }];
  if (begunAtMs(job) < atMs) return found(`it deleted the pod ${atMs - begunAtMs(job)} ms before the pod's time was over`);
  const last = reports(history, job)
    .filter((one) => one.generation === generation)
    .reduce<Extended | null>((a, b) => (a !== null && a.usedAtMs > b.usedAtMs ? a : b), null);
  // A create may have said otherwise since.
  if (ofPod.some(({ givesTtl, endedAtMs }) => givesTtl && (endedAtMs ?? Infinity) > (last?.usedAtMs ?? 0))) return [];
  const more = (last?.ttlAtMs ?? 0) - (job.endedAtMs ?? 0);
  return more > 0 ? found(`it deleted a pod whose owner had been told that it may live for ${more} ms more`) : [];
}

function notIdle(job: JobRecord, ofPod: readonly JobRecord[], history: History): Violation[] {
  const begun = begunAtMs(job) - roundingMs;
  const accepted = new Map(
    history.events.flatMap((event) => (event.event === "accepted" ? [[event.jobId, event.atMs + history.epochMs] as const] : [])),
  );
  const found = (message: string, other: string[] = []): Violation => ({ rule: "expiry", jobs: [job.id, ...other], message });
  const others = ofPod.flatMap((other) => {
    if (other.id === job.id || other.expiry === "idle") return [];
    const endedAtMs = other.endedAtMs ?? Infinity;
    if ((accepted.get(other.id) ?? Infinity) < begun && endedAtMs > begun)
      return [found(`it ended an idle pod that had job ${other.id}`, [other.id])];
    return endedAtMs < begun && endedAtMs + idleAfterMs > (job.endedAtMs ?? 0)
      ? [found(`it ended an idle pod ${(job.endedAtMs ?? 0) - endedAtMs} ms after the end of job ${other.id}`, [other.id])]
      : [];
  });
  const used = reports(history, job)
    .filter(({ usedAtMs }) => usedAtMs + idleAfterMs > (job.endedAtMs ?? 0))
    .map(({ usedAtMs }) => found(`it ended an idle pod ${(job.endedAtMs ?? 0) - usedAtMs} ms after it was said to be in use`));
  return [...others, ...used];
}

function twice(ended: readonly JobRecord[]): Violation[] {
  const ofLife = groupBy(
    ended.filter(({ expiry }) => expiry === "ttl"),
    (job) => String(deadlineOf(job).generation),
  );
  return [...ofLife].flatMap(([generation, all]) =>
    all.length === 1
      ? []
      : [{ rule: "expiry", jobs: all.map(({ id }) => id), message: `generation ${generation} of the pod was deleted ${all.length} times` }],
  );
}
