import { isTerminal, type Code, type ExecRecord, type Kind } from "@podq/jobs";
import type { Listener } from "@podq/queue";
import { wholePodRecord, type JobDocument, type PodRecord, type Store, type Stream } from "@podq/store";
import { PodqError, readError } from "./errors.ts";
import type { JobStatus } from "./status.ts";
import { watchJob } from "./watch.ts";

/** Bytes that a command wrote. */
export class OutputBytes extends Uint8Array {
  static get [Symbol.species](): Uint8ArrayConstructor {
    return Uint8Array;
  }

  /** The bytes as UTF-8 text; what is no UTF-8 becomes U+FFFD. */
  text(): string {
    return new TextDecoder().decode(this);
  }
}

/** What came of a command. */
export type ExecResult = Omit<ExecRecord, "exitCode" | "startedAt" | "endedAt"> & {
  exitCode: number;
  stdout: OutputBytes;
  stderr: OutputBytes;
  startedAt: Date;
  endedAt: Date;
  durationMs: number;
};

/** What the result of a job of each kind is. A delete of a pod that never was has none. */
export type ResultOf<K extends Kind> = {
  create: PodRecord;
  exec: ExecResult;
  stop: PodRecord;
  start: PodRecord;
  restart: PodRecord;
  expose: PodRecord;
  unexpose: PodRecord;
  delete: PodRecord | null;
}[K];

/** A job that did not come to a known good end. Has the shape of an exec's result, as far as that is known. */
export class JobError extends PodqError {
  override readonly name = "JobError";
  readonly state: "failed" | "cancelled" | "lost";
  /** Whether another try could go better. */
  readonly retryable: boolean;
  declare readonly exitCode?: number | null;
  declare readonly stdout?: OutputBytes;
  declare readonly stderr?: OutputBytes;
  declare readonly stdoutBytes?: number;
  declare readonly stderrBytes?: number;
  declare readonly truncated?: boolean;
  declare readonly leftRunning?: number | null;
  declare readonly unverified?: boolean;
  declare readonly startedAt?: Date | null;
  declare readonly endedAt?: Date | null;

  constructor(job: Pick<JobStatus, "id" | "state" | "error">, partial: PartialResult | null) {
    const { code, message } = job.error ?? { code: "internal", message: `job ${job.id} ended as ${job.state} and does not say why` };
    super(code, message, { jobId: job.id });
    this.state = job.state === "cancelled" || job.state === "lost" ? job.state : "failed";
    this.retryable = transient.has(code);
    Object.assign(this, partial);
  }
}

type PartialResult = ExecRecord & { stdout: OutputBytes; stderr: OutputBytes };

const transient: ReadonlySet<Code> = new Set<Code>([
  "image-pull-failed",
  "unschedulable",
  "evicted",
  "start-timeout",
  "stop-timeout",
  "namespace-stuck",
  "node-port-exhausted",
  "journal-unavailable",
  "host-unreachable",
  "cluster-unreachable",
  "deadline-exceeded",
  "unavailable",
  "internal",
]);

/** Waits for a job's end and gives its result. Throws JobError, PodqError `not-found`, `unavailable`, or the signal's reason; the job goes on then. */
export async function waitForResult(store: Store, listener: Listener, jobId: string, signal?: AbortSignal): Promise<ResultOf<Kind>> {
  const watch = await watchJob(listener, jobId, "end");
  try {
    for (;;) {
      const job = await store.jobs.get(jobId);
      if (job === null) throw notFound(jobId);
      if (isTerminal(job.state)) return await resultOf(store, job);
      await watch.next(signal);
    }
  } catch (error) {
    throw readError(error);
  } finally {
    watch.stop();
  }
}

/** The error of a job id that is not known. */
export function notFound(jobId: string): PodqError {
  return new PodqError("not-found", `there is no job ${jobId}; jobs are kept for a while after their end, then removed`);
}

/** What is on record of how a job ended. */
export function keptResult({ kind, result }: JobDocument): ExecRecord | PodRecord | null {
  if (kind === "exec") return result as ExecRecord | null;
  return result === null ? null : wholePodRecord(result as PodRecord);
}

async function resultOf(store: Store, job: JobDocument): Promise<ResultOf<Kind>> {
  const how = { id: job._id, state: job.state, error: job.error };
  if (job.kind !== "exec") {
    if (job.state !== "succeeded") throw new JobError(how, null);
    return keptResult(job) as PodRecord | null;
  }
  const record = job.result as ExecRecord | null;
  if (record === null) throw new JobError(how, null);
  const [stdout, stderr] = await Promise.all([
    record.stdoutBytes === 0 ? new OutputBytes() : readAll(store, job, "stdout"),
    record.stderrBytes === 0 ? new OutputBytes() : readAll(store, job, "stderr"),
  ]);
  const { exitCode, startedAt, endedAt } = record;
  if (job.state !== "succeeded" || exitCode === null || startedAt === null || endedAt === null)
    throw new JobError(how, { ...record, stdout, stderr });
  return { ...record, exitCode, stdout, stderr, startedAt, endedAt, durationMs: endedAt.getTime() - startedAt.getTime() };
}

async function readAll(store: Store, job: JobDocument, stream: Stream): Promise<OutputBytes> {
  const pieces = await store.output.read(job._id, job.run, stream, 0, Number.POSITIVE_INFINITY);
  const bytes = new OutputBytes(pieces.reduce((sum, { data }) => sum + data.byteLength, 0));
  let at = 0;
  for (const { data } of pieces) {
    bytes.set(data, at);
    at += data.byteLength;
  }
  return bytes;
}
