import { isTerminal, parseRequest, signalNames, type JobRequest, type Kind, type SignalAnswer, type SignalName } from "@podq/jobs";
import type { JobDocument } from "@podq/store";
import type { Context } from "./context.ts";
import { accept, type Stdin } from "./accept.ts";
import { asPodqError, PodqError } from "./errors.ts";
import { readOutput, type OutputOptions, type OutputPiece } from "./output.ts";
import { notFound, waitForResult, type ResultOf } from "./result.ts";
import { toJobStatus, type JobStatus } from "./status.ts";
import { watchJob } from "./watch.ts";

/** A job, from any process. Every method may throw PodqError `not-found` or `unavailable`. */
export type Job<K extends Kind = Kind> = {
  readonly id: string;
  /** Where it stands now. */
  status: () => Promise<JobStatus>;
  /** Waits for the end. Throws JobError if there is no known good one. `timeoutMs` and `signal` end the wait, never the job. */
  result: (options?: { timeoutMs?: number; signal?: AbortSignal }) => Promise<ResultOf<K>>;
  /** Calls back with the status now and at each change, until the end. A listener that throws does not stop the others. */
  subscribe: (listener: (status: JobStatus) => void, options?: { onError?: (error: unknown) => void }) => Subscription;
  /** An exec's output: what is there, then live until the end. */
  output: (options?: OutputOptions) => AsyncIterable<OutputPiece>;
  /** Removes an ended exec's output, which is kept for days otherwise. */
  discardOutput: () => Promise<void>;
  /** Asks for its end, in whatever state it is; a finished job stays as it is. Returns where it stands then. */
  cancel: (options?: { reason?: string }) => Promise<JobStatus>;
  /**
   * Sends a running exec's command, and all of its process group, a signal, once; resolves with what became of it. Throws
   * PodqError `conflict` if it does not run. Images without GNU env start commands with SIGINT and SIGQUIT ignored.
   */
  signal: (signal: SignalName) => Promise<SignalAnswer>;
  /**
   * Enqueues the same request once more, as a new job whose status says `retryOf`. What was removed at the end of the first,
   * the values of `env` and the `stdin`, must be given again. Throws PodqError `conflict` while the first has not ended.
   */
  retry: (options?: RetryOptions) => Promise<Job<K>>;
};

/** What a retry cannot take from the record of the first job. */
export type RetryOptions = { env?: Record<string, string>; stdin?: Stdin };

/** A running subscription: `stop` ends it, `done` resolves when it has ended. */
export type Subscription = { stop: () => void; done: Promise<void> };

/** The handle of a job. */
export function jobHandle<K extends Kind>(context: Context, id: string): Job<K> {
  const { store, line, listener } = context;
  const toStatus = async (job: JobDocument): Promise<JobStatus> =>
    toJobStatus(job, job.state === "queued" ? await store.jobs.ahead(job) : null);

  const read = async (): Promise<JobDocument> => {
    try {
      const job = await store.jobs.get(id);
      if (job === null) throw notFound(id);
      return job;
    } catch (error) {
      throw asPodqError(error);
    }
  };

  const follow = async (listen: (status: JobStatus) => void, signal: AbortSignal): Promise<void> => {
    const watch = await watchJob(listener, id);
    try {
      for (let seen = 0; ; await watch.next(signal)) {
        const job = await read();
        if (signal.aborted) return;
        if (job.version > seen) listen(await toStatus(job));
        seen = job.version;
        if (isTerminal(job.state)) return;
      }
    } finally {
      watch.stop();
    }
  };

  const answerOf = async (n: number): Promise<SignalAnswer> => {
    const watch = await watchJob(listener, id);
    try {
      for (; ; await watch.next()) {
        const { state, signals } = await read();
        const answer = signals.find((one) => one.n === n)?.answer;
        if (answer) return answer;
        if (isTerminal(state)) return "too-late";
      }
    } finally {
      watch.stop();
    }
  };

  return {
    id,
    status: async () => toStatus(await read()),
    async result({ timeoutMs, signal } = {}) {
      const signals = [signal, timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs)].filter((one) => one !== undefined);
      return (await waitForResult(store, listener, id, signals.length === 0 ? undefined : AbortSignal.any(signals))) as ResultOf<K>;
    },
    subscribe(listen, { onError } = {}) {
      const stop = new AbortController();
      const done = follow(listen, stop.signal).catch((error: unknown) => {
        if (stop.signal.aborted) return;
        if (onError === undefined) throw error;
        onError(error);
      });
      return { stop: () => stop.abort(), done };
    },
    output: (options) => readOutput(store, listener, id, options),
    async discardOutput() {
      const { kind, state } = await read();
      if (!isTerminal(state))
        throw new PodqError("conflict", `job ${id} is a${kind === "exec" ? "n exec" : ` ${kind}`} and ${state}; it may still write`);
      await store.output.remove(id).catch((error: unknown) => Promise.reject(asPodqError(error)));
    },
    async cancel({ reason = "cancelled by its caller" } = {}) {
      const job = await line.cancel(id, reason).catch((error: unknown) => Promise.reject(asPodqError(error)));
      if (job === null) throw notFound(id);
      return toStatus(job);
    },
    async signal(signal) {
      if (!signalNames.includes(signal)) throw new PodqError("invalid-request", `signal must be one of ${signalNames.join(", ")}`);
      try {
        const n = await line.signal(id, signal);
        return n === null ? noSuchExec(await read()) : await answerOf(n);
      } catch (error) {
        throw asPodqError(error);
      }
    },
    async retry(options = {}) {
      return jobHandle<K>(context, await accept(context, repeated(await read(), options), options.stdin, { retryOf: id }));
    },
  };
}

function noSuchExec({ _id: id, kind, state }: JobDocument): never {
  throw new PodqError(
    "conflict",
    `job ${id} is a${kind === "exec" ? "n exec" : ` ${kind}`} and ${state}; only a running exec takes signals`,
  );
}

function repeated(job: JobDocument, { env = {}, stdin }: RetryOptions): JobRequest {
  const { _id: id, kind, owner, name, state, params, envNames, stdinBytes, maxAttempts, labels } = job;
  if (!isTerminal(state)) throw new PodqError("conflict", `job ${id} is ${state}; only one that has ended can be tried again`);
  const missing = envNames.filter((variable) => env[variable] === undefined);
  if (missing.length > 0)
    throw new PodqError("invalid-request", `job ${id} had variables, whose values are not kept; give env with ${missing.join(", ")}`);
  if (stdinBytes !== null && stdin === undefined)
    throw new PodqError("invalid-request", `job ${id} had a standard input, which is not kept; give stdin`);
  const deadlineMs = job.deadlineAt.getTime() - job.createdAt.getTime();
  const asked = {
    owner,
    name,
    params: kind === "create" || kind === "exec" ? { ...params, env } : params,
    deadlineMs,
    maxAttempts,
    labels,
  };
  const { url, token } = job.callback ?? {};
  try {
    return { ...parseRequest(kind, asked), callback: url === undefined ? null : { url, token: token ?? null } };
  } catch (error) {
    throw asPodqError(error);
  }
}
