import { defaultPodName, parseRequest, podKey, portWait, type JobRequest, type Kind, type Owner, type ParamsInput } from "@podq/jobs";
import { toPodRecord, type PodRecord } from "@podq/store";
import type { Context } from "./context.ts";
import { accept, type Stdin } from "./accept.ts";
import { filesOf, type Files } from "./files/files.ts";
import { asPodqError, PodqError } from "./errors.ts";
import { jobHandle, type Job } from "./job.ts";
import type { ExecResult } from "./result.ts";

/** Options that every method which enqueues takes; `signal` ends the enqueueing, not the job. */
export type EnqueueOptions = {
  idempotencyKey?: string;
  deadlineMs?: number;
  maxAttempts?: number;
  labels?: Record<string, string>;
  /** Where podq's API tells of the job's end, by a signed request; README of @podq/api. */
  callbackUrl?: string;
  signal?: AbortSignal;
};

/** Options of {@link Pod.create}: what the pod shall be. */
export type CreateOptions = ParamsInput<"create"> & EnqueueOptions;

/**
 * Options of {@link Pod.exec}. `stdin` is text or bytes, kept whole before the job is accepted, at most 1 GiB; or a stream, which may
 * be of any length and is written while the command runs: this process must live until the stream has ended.
 */
export type ExecOptions = Omit<ParamsInput<"exec">, "command" | "stdin"> & { stdin?: Stdin } & EnqueueOptions;

/** Options of {@link Pod.stop}, {@link Pod.start} and {@link Pod.restart}. */
export type TimedOptions = ParamsInput<"stop"> & EnqueueOptions;

/** Options of {@link Pod.expose}: the port, and a name for it. */
export type ExposeOptions = ParamsInput<"expose"> & EnqueueOptions;

/** Options of {@link Pod.unexpose}. */
export type UnexposeOptions = Omit<ParamsInput<"unexpose">, "name"> & EnqueueOptions;

/** Options of {@link Pod.waitForPort}; `signal` ends the waiting here. */
export type WaitForPortOptions = { timeoutMs?: number } & EnqueueOptions;

/** Options of {@link Pod.delete}. */
export type DeleteOptions = ParamsInput<"delete"> & EnqueueOptions;

/** One owner's pod. Methods that enqueue return as soon as the job is accepted; they throw PodqError, and then nothing was written. */
export type Pod = {
  readonly owner: Owner;
  readonly name: string;
  /** Makes the pod, or brings it to run; one that runs is left as it is. */
  create: (options?: CreateOptions) => Promise<Job<"create">>;
  /** Runs a command in the pod: an argv, or a string for the pod's `sh -c`. */
  exec: (command: string | readonly string[], options?: ExecOptions) => Promise<Job<"exec">>;
  /** exec, and its result. */
  run: (command: string | readonly string[], options?: ExecOptions) => Promise<ExecResult>;
  /** Ends all that runs in the pod; its record, volume and service stay. */
  stop: (options?: TimedOptions) => Promise<Job<"stop">>;
  /** Makes a stopped pod run again, as it was. */
  start: (options?: TimedOptions) => Promise<Job<"start">>;
  /** Makes the pod's processes begin anew. */
  restart: (options?: TimedOptions) => Promise<Job<"restart">>;
  /** Makes a port of the pod reachable while its processes go on; the pod's record says how. It stays so until the pod is deleted. */
  expose: (options: ExposeOptions) => Promise<Job<"expose">>;
  /** Makes a port reachable no more, by its name. */
  unexpose: (port: string, options?: UnexposeOptions) => Promise<Job<"unexpose">>;
  /**
   * Resolves once something listens at a port inside the pod. It waits beside other `parallel` commands, and behind one that is not: a
   * server that runs as a command has to be `parallel`. Throws JobError `timed-out` after `timeoutMs` (default 60 s).
   */
  waitForPort: (port: number, options?: WaitForPortOptions) => Promise<void>;
  /** Deletes the pod with all that is in it. */
  delete: (options?: DeleteOptions) => Promise<Job<"delete">>;
  /**
   * Reports that the pod is in use, so that its idle time begins anew; `ttlMs` gives it so long to live from now. Returns its record.
   * Throws PodqError `not-found`.
   */
  extend: (options?: { ttlMs?: number }) => Promise<PodRecord>;
  /** The files of its /workspace. */
  readonly files: Files;
  /** Its record; null if there never was one. */
  get: () => Promise<PodRecord | null>;
};

/** Whose pod, and which of his: `{ project }` or `{ conversation }`, and `name` for a further one. */
export type PodAddress = { project?: string; conversation?: string; name?: string };

/** The handle of a pod. */
export function podHandle(context: Context, address: PodAddress): Pod {
  const { name = defaultPodName, ...owner } = address;
  const checked = checkAddress(owner, name);

  const submit = async <K extends Kind>(kind: K, params: object, options: EnqueueOptions, stdin?: Stdin): Promise<Job<K>> => {
    const { signal, ...given } = options;
    const request = parse(kind, { owner, name, params, ...given }) as JobRequest;
    return jobHandle<K>(context, await accept(context, request, stdin, signal === undefined ? {} : { signal }));
  };

  const plainly = async <K extends Exclude<Kind, "exec">>(
    kind: K,
    options: ParamsInput<K> & EnqueueOptions = {} as never,
  ): Promise<Job<K>> => {
    const [params, rest] = split(options);
    return submit(kind, params, rest);
  };

  const pod: Omit<Pod, "files"> = {
    owner: checked.owner,
    name,
    create: async (options) => plainly("create", options),
    exec: async (command, options = {}) => {
      const [{ stdin, ...params }, rest] = split(options);
      return submit("exec", { ...params, command }, rest, stdin);
    },
    run: async (command, options) => {
      const job = await pod.exec(command, options);
      return job.result(options?.signal === undefined ? {} : { signal: options.signal });
    },
    stop: async (options) => plainly("stop", options),
    start: async (options) => plainly("start", options),
    restart: async (options) => plainly("restart", options),
    expose: async (options) => plainly("expose", options),
    unexpose: async (port, options) => plainly("unexpose", { ...options, name: port }),
    waitForPort: async (port, options = {}) => {
      const [{ timeoutMs }, rest] = split(options);
      const job = await submit("exec", portWaitOf(port, timeoutMs), rest);
      await job.result(options.signal === undefined ? {} : { signal: options.signal });
    },
    delete: async (options) => plainly("delete", options),
    extend: async ({ ttlMs } = {}) => {
      const key = podKey(checked.owner, name);
      parse("create", { owner, name, params: ttlMs === undefined ? {} : { ttlMs } });
      try {
        const extended = await context.store.expiry.extend(key, ttlMs);
        if (extended === null) throw new PodqError("not-found", `there is no pod ${key}, or not any more; create it first`);
        return toPodRecord(extended);
      } catch (error) {
        throw asPodqError(error);
      }
    },
    get: async () => {
      try {
        const document = await context.store.pods.get(podKey(checked.owner, name));
        return document === null ? null : toPodRecord(document, await context.store.sightings.latest());
      } catch (error) {
        throw asPodqError(error);
      }
    },
  };
  return { ...pod, files: filesOf(pod) };
}

function portWaitOf(port: number, timeoutMs: number | undefined): object {
  try {
    return portWait({ port, timeoutMs });
  } catch (error) {
    throw asPodqError(error);
  }
}

function checkAddress(owner: unknown, name: string): { owner: Owner } {
  return parse("delete", { owner, name });
}

function parse<K extends Kind>(kind: K, payload: unknown): JobRequest<K> {
  try {
    return parseRequest(kind, payload);
  } catch (error) {
    throw asPodqError(error);
  }
}

function split<Options extends EnqueueOptions>(options: Options): [params: Omit<Options, keyof EnqueueOptions>, rest: EnqueueOptions] {
  const { idempotencyKey, deadlineMs, maxAttempts, labels, callbackUrl, signal, ...params } = options;
  const rest = { idempotencyKey, deadlineMs, maxAttempts, labels, callbackUrl, signal };
  return [params, Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))];
}
