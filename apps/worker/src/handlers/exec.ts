import type { ExecRecord, Failure, Params } from "@podq/jobs";
import type { Line } from "@podq/client/line";
import { signalNumbers, type ExecOutcome, type ExecRequest, type Execs, type LiveInput, type Pods } from "@podq/kube";
import type { Listener } from "@podq/queue";
import type { JobDocument, PodDocument, Store, Target } from "@podq/store";
import { reasonOf, type Attempt, type Handler } from "../execute.ts";
import { backoffMs, ended, failureOf, outcomeOf, type Outcome } from "../outcome.ts";
import { openInput } from "../input.ts";
import { openOutput } from "../output.ts";
import { relaySignals, type SignalRelay } from "../signals.ts";
import { decide } from "../reconcile/decide.ts";
import { patchesOf, refOf } from "../reconcile/patches.ts";
import { fenceOf, type Place } from "./place.ts";
import { changePod } from "./power.ts";

/** What running commands takes. */
export type ExecMeans = { store: Store; line: Line; listener: Listener; pods: Pods; execs: Execs; place: Place; silenceMs: number };

// The runner ends the command at its time-out with nobody connected. So long after that nothing can be running any more.
const settledAfterMs = 60_000;
const observeTimeoutMs = 15_000;
const startTimeoutMs = 5 * 60_000;

/** Runs a command in a pod. Its result is an {@link ExecRecord}; the output is in the chunks. */
export function execHandler(means: ExecMeans): Handler {
  return async (attempt) => {
    const { job, pod, hold } = await woken(means, attempt);
    if (job.target === null) return notRunning(job, pod);
    if (pod === null || job.target.podUid !== pod.podUid) {
      const message = `pod ${job.target.podName}, in which an earlier attempt may have started it, was replaced`;
      return lose(means, attempt, { code: "pod-replaced", message }, nothingSeen, true);
    }
    if (job.attempt > job.maxAttempts && isSettled(job)) {
      const message = `${job.attempt - 1} attempts began and none came to its end`;
      return lose(means, attempt, { code: "outcome-unknown", message }, nothingSeen, false);
    }
    for (let current = job; ;) {
      const outcome = await runFed(means, { ...attempt, job: current, pod });
      if (outcome.kind !== "replaced") return outcome;
      const moved = await means.store.jobs.retarget(hold.claim, outcome.target);
      if (!moved) return { kind: "fenced" };
      current = { ...current, target: outcome.target };
    }
  };
}

// The attempt with its pod started, if that is stopped and may be. Throws what the start throws.
async function woken(means: ExecMeans, attempt: Attempt): Promise<Attempt> {
  const { job, pod, hold } = attempt;
  const { startIfStopped } = job.params as Params<"exec">;
  if (job.target !== null || pod?.status !== "stopped" || !startIfStopped) return attempt;
  // Others that share the pod may start it at the same time.
  const fence = { n: fenceOf(job), raises: false };
  const control = { signal: AbortSignal.any([hold.cancel, hold.detach]), timeoutMs: startTimeoutMs, fence };
  const started = await changePod(means.store, means.place, pod, async () => means.pods.start(pod.identity, control));
  // One that shares the pod may have started and recorded it meanwhile.
  const now = started ?? (await means.store.pods.get(job.podKey));
  if (now === null || now === "absent" || now.podName === null || now.podUid === null) return attempt;
  const target = { podName: now.podName, podUid: now.podUid };
  const aimed = await means.store.jobs.retarget(hold.claim, target);
  return aimed ? { ...attempt, pod: now, job: { ...job, target } } : attempt;
}

type Replaced = { kind: "replaced"; target: Target };

async function runFed(means: ExecMeans, attempt: Attempt & { pod: PodDocument }): Promise<Outcome | Replaced> {
  const { job, hold, log } = attempt;
  if (job.stdinBeat === null) return runOnce(means, attempt);
  const input = await openInput(means, job, log);
  try {
    const cancel = AbortSignal.any([hold.cancel, input.silent]);
    return await runOnce(means, { ...attempt, hold: { ...hold, cancel } }, input.source);
  } finally {
    input.stop();
  }
}

async function runOnce(means: ExecMeans, attempt: Attempt & { pod: PodDocument }, liveStdin?: LiveInput): Promise<Outcome | Replaced> {
  const { store, line, execs } = means;
  const { job, pod, hold, log } = attempt;
  const output = await openOutput(store, line, { id: job._id, run: job.run }, job.attempt === 1);
  const target = { namespace: pod.namespace, pod: job.target!.podName, podUid: job.target!.podUid };
  const signals = relaySignals(store, line, hold, signalNumbers, log);
  const control = { cancel: hold.cancel, detach: hold.detach, signals: signals.source, onOutput: output.write };
  const request = { ...requestOf(job, pod, output.stored, store), ...(liveStdin && { liveStdin }) };
  const outcome = await execs.run(target, request, control).catch(outcomeOfError);
  await signals.saved();
  log.debug({ outcome: outcome.kind }, "exec");
  // A command that ran came behind the end of what was to be fenced: both went into the pod in one write.
  if (outcome.kind === "ended" && pod.unsettled.length > 0) await store.pods.removeUnsettled(job.podKey, pod.unsettled);
  if (outcome.kind !== "ended") return conclude(means, attempt, outcome);
  return endOf({ ...recordOf(outcome, signals), attached: job.attempt - 1 }, outcome.why, job, hold.cancel);
}

// The command goes on in the pod when its output cannot be stored: a later attempt picks it up.
function outcomeOfError(error: unknown): ExecOutcome | { kind: "interrupted"; error: Failure } {
  if (error instanceof RangeError) return { kind: "interrupted", error: { code: "invalid-request", message: error.message } };
  return { kind: "interrupted", error: failureOf(error) };
}

async function conclude(
  means: ExecMeans,
  attempt: Attempt & { pod: PodDocument },
  outcome: Exclude<ExecOutcome | ReturnType<typeof outcomeOfError>, { kind: "ended" }>,
): Promise<Outcome | Replaced> {
  const { hold } = attempt;
  switch (outcome.kind) {
    case "failed":
      if (outcome.code === "pod-not-running") return podGone(means, attempt, outcome.message);
      return ended(outcome.code === "cancelled" ? "cancelled" : "failed", { code: outcome.code, message: outcome.message });
    case "detached":
      return { kind: "release", why: reasonOf(hold.detach) };
    case "lost":
      return lose(means, attempt, { code: outcome.code, message: outcome.message }, outcome, outcome.settled);
    case "unreachable":
      return unreachable(means, attempt, { code: outcome.code, message: outcome.message }, outcome.mayHaveStarted);
    case "interrupted":
      return outcome.error.code === "invalid-request" ? ended("failed", outcome.error) : unreachable(means, attempt, outcome.error, true);
  }
}

async function unreachable(means: ExecMeans, attempt: Attempt, error: Failure, mayHaveStartedNow: boolean): Promise<Outcome> {
  const { job, hold } = attempt;
  const mayHaveStarted = mayHaveStartedNow || job.attempt > 1;
  if (!mayHaveStarted && hold.cancel.aborted) return ended("cancelled", { code: "cancelled", message: reasonOf(hold.cancel) });
  if (!mayHaveStarted) return outcomeOf(error, { n: job.attempt, max: job.maxAttempts, deadlineAt: job.deadlineAt });
  // What may be running is looked after until its own time-out is surely over, however many attempts that takes.
  const { timeoutMs } = job.params as Params<"exec">;
  if (Date.now() < (job.startedAt?.getTime() ?? 0) + timeoutMs + settledAfterMs)
    return { kind: "retry", delayMs: backoffMs(job.attempt), error, looksAfter: true };
  const message = `the way to the pod stayed down beyond the command's time-out (${error.message})`;
  return lose(means, attempt, { code: "outcome-unknown", message }, nothingSeen, false);
}

function isSettled(job: JobDocument): boolean {
  return Date.now() > (job.startedAt?.getTime() ?? 0) + (job.params as Params<"exec">).timeoutMs + settledAfterMs;
}

// The pod that the record names is not there. Nothing was started in this attempt; an earlier one may have.
async function podGone(means: ExecMeans, attempt: Attempt & { pod: PodDocument }, message: string): Promise<Outcome | Replaced> {
  const { job, pod, hold } = attempt;
  // What becomes of the pod's record from here on must not make its guess look wrong.
  const { podName, podUid, guess } = job.target!;
  if (guess && !(await means.store.jobs.retarget(hold.claim, { podName, podUid }))) return { kind: "fenced" };
  const control = { signal: AbortSignal.any([hold.cancel, hold.detach]), timeoutMs: observeTimeoutMs };
  const sight = await means.pods.sight(refOf(pod), control);
  const decision = decide(pod, sight);
  // What may pass is left to the reconciler, which looks again; where the pod is now is not.
  if (decision.kind === "change" && (decision.afterMs === 0 || decision.status === "running"))
    await means.store.pods.patch(pod, patchesOf(pod, decision, sight, means.place)[0]);
  const seen = sight.observation;
  if (job.attempt > 1) return lose(means, attempt, { code: "pod-replaced", message }, nothingSeen, true);
  if (seen.status !== "running" || seen.podName === undefined || seen.podUid === undefined || seen.podUid === job.target?.podUid)
    return ended("failed", { code: "pod-not-running", message: `pod ${job.podKey} does not run: ${message}; create it again` });
  return { kind: "replaced", target: { podName: seen.podName, podUid: seen.podUid } };
}

async function lose(
  means: ExecMeans,
  { job, hold, log }: Attempt,
  error: Failure,
  seen: { stdoutBytes: number; stderrBytes: number },
  settled: boolean,
): Promise<Outcome> {
  // Noted before the job ends, while this pod's turn is held: the next job there must know.
  if (!settled) await means.store.pods.addUnsettled(job.podKey, `${job._id}.${job.run}`);
  if ((job.params as Params<"exec">).retryable && !hold.cancel.aborted && job.attempt < job.maxAttempts) {
    log.info({ code: error.code }, "its outcome is lost, and it may be started again");
    if ((await means.store.jobs.restart(hold.claim)) === null) return { kind: "fenced" };
    return { kind: "retry", delayMs: backoffMs(job.attempt), error };
  }
  return ended("lost", error, { ...nothingKnown, ...pick(seen), attached: job.attempt - 1 });
}

function endOf(record: ExecRecord, why: "timeout" | "cancel" | undefined, job: JobDocument, cancel: AbortSignal): Outcome {
  if (why === "cancel") return ended("cancelled", { code: "cancelled", message: reasonOf(cancel) }, record);
  const { timeoutMs } = job.params as Params<"exec">;
  if (why === "timeout")
    return ended("failed", { code: "timed-out", message: `the command did not end within ${timeoutMs} ms and was ended` }, record);
  return { kind: "end", state: "succeeded", result: record, error: null, why: `the command ended with ${record.exitCode}` };
}

const nothingSeen = { stdoutBytes: 0, stderrBytes: 0 };

const nothingKnown: ExecRecord = {
  exitCode: null,
  signal: null,
  stdoutBytes: 0,
  stderrBytes: 0,
  atLeast: true,
  truncated: false,
  leftRunning: null,
  unverified: false,
  startedAt: null,
  endedAt: null,
  attached: 0,
  weaker: [],
};

function recordOf(outcome: Extract<ExecOutcome, { kind: "ended" }>, signals: SignalRelay): ExecRecord {
  const {
    exitCode,
    signal = signals.deadlyTo(outcome.exitCode),
    stdoutBytes,
    stderrBytes,
    atLeast = false,
    truncated,
    leftRunning,
    unverified = false,
    startedAt,
    endedAt,
    weaker = [],
  } = outcome;
  return {
    exitCode,
    signal,
    stdoutBytes,
    stderrBytes,
    atLeast,
    truncated,
    leftRunning,
    unverified,
    startedAt,
    endedAt,
    attached: 0,
    weaker,
  };
}

function pick({ stdoutBytes, stderrBytes }: { stdoutBytes: number; stderrBytes: number }): Pick<ExecRecord, "stdoutBytes" | "stderrBytes"> {
  return { stdoutBytes, stderrBytes };
}

function notRunning(job: JobDocument, pod: PodDocument | null): Outcome {
  const what = pod === null ? "was never created" : `is ${pod.status}${pod.error === null ? "" : ` (${pod.error.code})`}`;
  return ended("failed", {
    code: "pod-not-running",
    message: `pod ${job.podKey} ${what}; ${pod?.status === "stopped" ? "start" : "create"} it first`,
  });
}

function requestOf(
  job: JobDocument,
  pod: PodDocument,
  stored: { stdout: number; stderr: number },
  store: Pick<Store, "input">,
): ExecRequest {
  const { command, shell, cwd, env, timeoutMs, graceMs, maxOutputBytes, parallel, trustKubectl } = job.params as Params<"exec">;
  return {
    jobId: job._id,
    run: job.run,
    attempt: job.attempt,
    command: typeof command === "string" && shell !== "sh" ? [shell, "-c", command] : command,
    cwd,
    env: env ?? {},
    ...(job.stdinBytes === null || job.stdinBeat !== null ? {} : { stdin: { [Symbol.asyncIterator]: () => store.input.read(job._id) } }),
    timeoutMs,
    graceMs,
    maxOutputBytes,
    exclusive: !parallel,
    fence: pod.unsettled,
    from: stored,
    trustKubectl,
  };
}
