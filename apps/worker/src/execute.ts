import { setTimeout as delay } from "node:timers/promises";
import { isTerminal } from "@podq/jobs";
import { cancelsPending, type Line } from "@podq/client/line";
import { KubeError } from "@podq/kube";
import type { Consumer, Delivery, Disposition, Summary } from "@podq/queue";
import type { JobDocument, LineEntry, PodDocument, Store } from "@podq/store";
import type { Logger } from "pino";
import type { Aim } from "./aim.ts";
import type { Shares } from "./hosts/shares.ts";
import type { Hold, Leases } from "./leases.ts";
import type { Observer } from "./metrics.ts";
import { ended, failureOf, outcomeOf, type Outcome } from "./outcome.ts";
import { recordDelivery, type Found } from "./record.ts";
import { tracedAttempt } from "./trace.ts";

/** One attempt at a job, as its handler sees it. */
export type Attempt = { job: JobDocument; pod: PodDocument | null; hold: Hold; log: Logger };

/** Does the work of one kind of job. Returns how it ended, or throws what {@link failureOf} understands. */
export type Handler = (attempt: Attempt) => Promise<Outcome>;

/** What the life of a job is made of. */
export type Executor = {
  store: Store;
  line: Line;
  leases: Leases;
  aim: Aim;
  consumer: () => Pick<Consumer, "active">;
  handlers: Record<JobDocument["kind"], Handler>;
  worker: string;
  leaseMs: number;
  log: Logger;
  observer?: Pick<Observer, "attempt"> | undefined;
  /** Where there are several hosts. */
  shares?: Shares | undefined;
};

// A job is announced while its insert is under way, so its record may be milliseconds from being there: that is waited for as it is.
const insertsTakeMs = [1, 2, 4, 8, 16, 32];

// Or its producer has died, or lost MongoDB: it gives up after 15 s, and these waits come to 25 s.
const waitsForRecord = 9;
const firstWaitMs = 50;

/** One job's life: found -> its turn -> claimed -> worked on -> its end saved -> told -> the next woken. */
export async function execute(executor: Executor, delivery: Delivery): Promise<Disposition> {
  const recorded = await recordDelivery(executor.store, executor.consumer(), delivery);
  if (recorded.kind === "none") {
    executor.log.warn({ dispatchId: delivery.dispatchId, ...recorded.summary }, "refused");
    return { kind: "done", value: recorded.summary };
  }
  return runInTurn(executor, recorded, delivery.starts);
}

async function runInTurn(executor: Executor, found: Found, starts: number): Promise<Disposition> {
  const { mayRun, next } = found.free ? { mayRun: true, next: null } : await executor.store.jobs.turn(found.podKey, found.id);
  return mayRun ? run(executor, found, starts, next) : notItsTurn(executor, found, starts);
}

async function run(executor: Executor, found: Found, starts: number, next: LineEntry | null): Promise<Disposition> {
  const entry = await executor.shares?.ask(found.podKey, found.id);
  // Before the claim: what waits for its host keeps its place in line, and other workers may have room for it.
  if (entry && !("leave" in entry)) return { kind: "park", forMs: entry.forMs, lookAgain: async () => entry.isFree() };
  try {
    return await runNow(executor, found, starts, next);
  } finally {
    entry?.leave();
  }
}

async function runNow(executor: Executor, found: Found, starts: number, next: LineEntry | null): Promise<Disposition> {
  const { id, podKey, free } = found;
  const { line } = executor;
  const job = await claim(executor, found);
  if (job === null) return free ? runInTurn(executor, { id, podKey, free: false }, starts) : unclaimed(executor, id);
  const log = executor.log.child({ job: id, kind: job.kind, pod: podKey, attempt: job.attempt });
  log.info("attempt begins");
  void line.nudge(id); // never rejects; nobody's result waits for it

  const observed = executor.observer?.attempt(job);
  const hold = executor.leases.hold({ id, attempt: job.attempt }, job);
  try {
    const outcome = await tracedAttempt(job, async () => attempt(executor, job, hold, log));
    observed?.(outcome);
    return await settle(executor, { job, hold, log, next }, outcome);
  } finally {
    hold.drop();
  }
}

async function claim({ store, worker, leaseMs, aim }: Executor, { id: _id, podKey, free }: Found): Promise<JobDocument | null> {
  const claimNow = async (): Promise<JobDocument | null> => store.jobs.claim({ _id, podKey }, worker, leaseMs, aim.guess(podKey));
  const job = await claimNow();
  if (job !== null || !free) return job;
  for (const waitMs of insertsTakeMs) {
    if ((await store.jobs.get(_id)) !== null) return claimNow();
    await delay(waitMs);
  }
  return null;
}

async function attempt(executor: Executor, job: JobDocument, hold: Hold, log: Logger): Promise<Outcome> {
  // An exec looks after its own: what may be running in the pod is not given up by a count.
  if (job.kind !== "exec" && job.attempt > job.maxAttempts) {
    const message = `${job.attempt - 1} attempts began and none came to its end; the workers' logs say what became of them`;
    return ended("failed", { code: "internal", message });
  }
  try {
    const read = await executor.store.pods.get(job.podKey); // while the turn is held: what all others did to the pod is in it
    const pod = read?.reconciling ? await executor.store.pods.settle(read) : read;
    executor.shares?.note(job.podKey, pod);
    const aimed = await executor.aim.correct(job, pod);
    return aimed === null ? { kind: "fenced" } : await executor.handlers[job.kind]({ job: aimed, pod, hold, log });
  } catch (error) {
    if (error instanceof KubeError && error.code === "superseded") return { kind: "fenced" };
    if (hold.detach.aborted) return { kind: "release", why: reasonOf(hold.detach) };
    if (hold.cancel.aborted) return ended("cancelled", { code: "cancelled", message: reasonOf(hold.cancel) });
    const failure = failureOf(error);
    log.warn({ err: error, code: failure.code }, "attempt failed");
    return outcomeOf(failure, { n: job.attempt, max: job.maxAttempts, deadlineAt: job.deadlineAt });
  }
}

type Held = Pick<Attempt, "job" | "hold" | "log"> & { next: LineEntry | null };

async function settle(executor: Executor, held: Held, outcome: Outcome): Promise<Disposition> {
  const { store, line } = executor;
  const { job, hold, log, next } = held;
  const saved = !hold.lost && (await save(store, hold, outcome));
  if (!saved && outcome.kind === "retry" && !hold.lost) {
    // The one thing that makes a retry impossible while the attempt holds: a cancel came.
    return settle(executor, held, ended("cancelled", { code: "cancelled", message: "cancelled when it was to be tried again" }));
  }
  if (!saved || outcome.kind === "fenced") {
    log.warn("this attempt is over; another worker has the job");
    return unclaimed(executor, job._id);
  }
  const isEnd = outcome.kind === "end";
  log.info({ outcome: outcome.kind, ...(isEnd && { state: outcome.state, code: outcome.error?.code }) }, "attempt ends");
  void line.nudge(job._id, isEnd);
  if (isEnd) void line.nudgeDelivery(job);
  if (outcome.kind === "release") return { kind: "handover" };
  if (outcome.kind === "retry")
    return { kind: "park", forMs: outcome.delayMs, lookAgain: async () => isWanted(await store.jobs.get(job._id)) };
  if (job.stdinBytes !== null) await store.input.remove(job._id);
  await (next === null ? line.wakeNext(job.podKey) : line.wake(next, true));
  return { kind: "done", value: summaryOf({ ...job, ...outcome }) };
}

async function save(store: Store, { claim }: Hold, outcome: Outcome): Promise<boolean> {
  switch (outcome.kind) {
    case "end":
      return store.jobs.end(claim, outcome);
    case "retry":
      return (
        (await store.jobs.retry(claim, outcome.delayMs, `${outcome.error.code}: ${outcome.error.message}`, outcome.uncounted)) !== null
      );
    case "release":
      return (await store.jobs.release(claim, outcome.why)) !== null;
    case "fenced":
      return false;
  }
}

// It is over, or waits for others, or is not there yet; whoever woke it may have taken it for the next.
async function notItsTurn(executor: Executor, { id, podKey }: Found, starts: number): Promise<Disposition> {
  const { line, store } = executor;
  const job = await store.jobs.get(id);
  if (job === null && starts <= waitsForRecord)
    return { kind: "park", forMs: firstWaitMs * 2 ** (starts - 1), lookAgain: async () => (await store.jobs.get(id)) !== null };
  if (job === null) return { kind: "done", value: noRecord(id) };
  if (job.podKey !== podKey) return runInTurn(executor, { id, podKey: job.podKey, free: false }, starts);
  // One that runs has its turn already, wherever it stands in line: whether it may be taken over is for the claim to say.
  if (job.state === "running") return run(executor, { id, podKey, free: false }, starts, null);
  await line.wakeNext(podKey);
  if (isTerminal(job.state)) return { kind: "done", value: summaryOf(job) };
  if (cancelsPending(job)) {
    const reason = `job ${job._id} deletes the pod and cancels what is before it`;
    await Promise.all((await store.jobs.pending(job)).map(async ({ _id }) => line.cancel(_id, reason)));
  }
  return { kind: "park", lookAgain: async () => store.jobs.isDue(job) };
}

// Somebody else has the job or its pod, or it is not due, or its time is over: the record says which.
async function unclaimed({ store, line }: Executor, id: string): Promise<Disposition> {
  await Promise.all((await store.jobs.expire(1, id)).map(async (job) => line.expired(job)));
  const job = await store.jobs.get(id);
  if (job === null) return { kind: "done", value: noRecord(id) };
  if (isTerminal(job.state)) return { kind: "done", value: summaryOf(job) };
  const until = job.state === "running" ? job.leaseUntil : job.notBefore;
  const forMs = Math.max(100, (until?.getTime() ?? 0) - Date.now() + 50);
  const seen = job.version;
  return { kind: "park", forMs: Math.min(forMs, 60_000), lookAgain: async () => ((await store.jobs.get(id))?.version ?? seen) !== seen };
}

// What is put aside until its next try is due has nothing more to wait for.
function isWanted(job: JobDocument | null): boolean {
  return job?.state !== "queued" || job.cancel !== null;
}

function noRecord(jobId: string): Summary {
  return { jobId, state: "failed", code: "not-found", message: "it has no record, or none any more; it was not run" };
}

function summaryOf(job: Pick<JobDocument, "_id" | "state" | "result" | "error">): Summary {
  const { exitCode } = (job.result ?? {}) as { exitCode?: number | null };
  return {
    jobId: job._id,
    state: job.state,
    ...(typeof exitCode === "number" ? { exitCode } : {}),
    ...(job.error === null ? {} : { code: job.error.code }),
  };
}

/** The words an abort was given. */
export function reasonOf(signal: AbortSignal): string {
  return signal.reason instanceof Error ? signal.reason.message : String(signal.reason);
}
