import { setTimeout as delay } from "node:timers/promises";
import { JobError, PodqError, type CreateOptions, type Job, type Pod, type Podq, type PodRecord } from "@podq/client";
import type { Dice } from "../dice.ts";
import { shellText, type MarksTo, type Work } from "./command.ts";
import { monotonicMs, type Asked, type Event, type ToldResult } from "./told.ts";

/** What pods are made of: two images, and the resources of each. */
export type PodsOf = Required<Pick<CreateOptions, "image" | "resources">> & { image2: string };

/** What callers work with. */
export type CallerMeans = {
  name: string;
  podq: Podq;
  roll: Dice;
  marks: MarksTo;
  create: PodsOf;
  tell: (event: Event) => void;
  /** Ends the following of jobs. */
  stop: AbortSignal;
};

// What a caller's creates may be made from.
function templateName(otherImage: boolean): string {
  return otherImage ? "other" : "first";
}

/** Saves the templates that callers make pods from. */
export async function saveTemplates({ templates }: Podq, { image, image2, resources }: PodsOf): Promise<void> {
  const save = async (other: boolean): Promise<unknown> =>
    templates.apply({ name: templateName(other), image: other ? image2 : image, resources, storage: "64Mi" });
  await Promise.all([save(false), save(true)]);
}

/** A service that uses podq, and keeps account of what it asked and was told. */
export type Caller = {
  /** Enqueues, and follows the job to its end in the background. Null if it was refused. */
  ask: (project: string, asked: Asked, options?: { key?: string; follow?: boolean; cancelAfterMs?: number }) => Promise<Followed | null>;
  /** Reports that a pod is in use, and gives it so long to live if that is given. False: there is no such pod. */
  extend: (project: string, ttlMs?: number) => Promise<boolean>;
};

/** An accepted job; `done` resolves when its end was told. */
type Followed = { jobId: string; done: Promise<void> };

/** The way back when MongoDB stays away longer than the SDK is patient. */
const patienceMs = 500;

// A slow machine meets more faults in an attempt: with the default of 25, a worker lives too short a time there for a pod to be made.
const maxAttempts = 100;

/** Makes a caller. */
export function createCaller(means: CallerMeans): Caller {
  const { name, podq, marks, tell, stop } = means;
  const { image, image2, resources } = means.create;
  let serial = 0;

  const submit = async (pod: Pod, asked: Asked, key: string | undefined): Promise<Job> => {
    const options = { maxAttempts, ...(key !== undefined && { idempotencyKey: key }) };
    if (asked.kind === "create") {
      const { kind: _, otherImage = false, fromTemplate, ...params } = asked;
      const spec = { image: otherImage ? image2 : image, resources, storage: "64Mi" };
      return pod.create({ ...(fromTemplate ? { template: templateName(otherImage) } : spec), ...params, ...options });
    }
    if (asked.kind === "delete") return pod.delete({ cancelPending: asked.clears, ...options });
    if (asked.kind === "expose") return pod.expose({ port: 3000, ...options });
    if (asked.kind === "unexpose") return pod.unexpose("port-3000", options);
    if (asked.kind !== "exec") return pod[asked.kind](options);
    const { work, parallel, retryable, ends, starts } = asked;
    return pod.exec(shellText(work, marks), {
      ...options,
      parallel,
      retryable,
      ...(starts && { startIfStopped: true }),
      labels: { chaos: work.token },
      env: { CHAOS: work.token },
      graceMs: 300,
      timeoutMs: ends === "itself" ? 120_000 : 1_500,
      ...(work.input !== null && { stdin: work.input }),
    });
  };

  const follow = async (job: Job, listener: string, live: boolean): Promise<void> => {
    const told = job.subscribe(
      ({ state, version }) => tell({ event: "state", jobId: job.id, listener, state, version, atMs: monotonicMs() }),
      { onError: () => undefined }, // it ends with the way to MongoDB; the result will be told
    );
    const output = live ? readLive(job, stop).then((bytes) => bytes && tell({ event: "output", jobId: job.id, ...bytes })) : undefined;
    const result = await untilTold(async () => resultOf(job), stop);
    if (result !== null) tell({ event: "result", jobId: job.id, atMs: monotonicMs(), result });
    await output;
    if (result === null) told.stop();
    await told.done;
  };

  return {
    async ask(project, asked, { key, follow: live = false, cancelAfterMs } = {}) {
      const ref = `${name}-${++serial}`;
      const pod = podq.pod({ project });
      tell({ event: "called", ref, pod: `project/${project}/default`, asked, key: key ?? null, atMs: monotonicMs() });
      let job: Job;
      try {
        job = await submit(pod, asked, key);
      } catch (error) {
        if (!(error instanceof PodqError)) throw error;
        tell({ event: "refused", ref, code: error.code, jobId: error.jobId ?? null, atMs: monotonicMs() });
        return null;
      }
      tell({ event: "accepted", ref, jobId: job.id, atMs: monotonicMs() });
      const done = follow(job, ref, live && asked.kind === "exec");
      if (cancelAfterMs !== undefined) void cancelLater(job, cancelAfterMs, tell);
      return { jobId: job.id, done };
    },
    async extend(project, ttlMs) {
      // Again until it is answered: of the one answered last is known that it counts.
      const ask = async (): Promise<PodRecord | null> =>
        podq
          .pod({ project })
          .extend(ttlMs === undefined ? {} : { ttlMs })
          .catch((error: unknown) => {
            if (error instanceof PodqError && error.code === "not-found") return null;
            throw error;
          });
      const record = await untilTold(ask, stop);
      if (record?.expiry == null) return false;
      const { generation, expiry } = record;
      const [usedAtMs, ttlAtMs] = [expiry.usedAt.getTime(), expiry.ttlAt?.getTime() ?? null];
      tell({ event: "extended", pod: `project/${project}/default`, generation, usedAtMs, ttlAtMs });
      return true;
    },
  };
}

async function cancelLater(job: Job, afterMs: number, tell: CallerMeans["tell"]): Promise<void> {
  await delay(afterMs);
  tell({ event: "cancel-asked", jobId: job.id, atMs: monotonicMs() });
  await job.cancel().catch(() => undefined); // MongoDB is away: asked, and perhaps not heard
}

async function resultOf(job: Job): Promise<ToldResult> {
  try {
    const result = await job.result();
    const {
      exitCode = null,
      stdout,
      stderr,
    } = (result ?? {}) as { exitCode?: number; stdout?: { text: () => string }; stderr?: { text: () => string } };
    return { state: "succeeded", code: null, exitCode, stdout: stdout?.text() ?? null, stderr: stderr?.text() ?? null };
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    const { state, code, exitCode = null, stdout, stderr } = error;
    return { state, code, exitCode, stdout: stdout?.text() ?? null, stderr: stderr?.text() ?? null };
  }
}

// Whoever waits for a result may be told that MongoDB is away, and asks again. Null: told to stop.
async function untilTold<T>(ask: () => Promise<T>, stop: AbortSignal): Promise<T | null> {
  while (!stop.aborted) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof PodqError) || error.code !== "unavailable") throw error;
      await delay(patienceMs);
    }
  }
  return null;
}

// A reader that is cut off goes on from the byte where it was.
async function readLive(job: Job, stop: AbortSignal): Promise<{ stdout: string; stderr: string; whole: boolean } | null> {
  const heard = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const at = { stdout: 0, stderr: 0 };
  const read = await untilTold(async () => {
    for await (const { stream, offset, data } of job.output({ from: at })) {
      if (offset === 0) heard[stream].length = 0; // started anew
      heard[stream].push(data);
      at[stream] = offset + data.byteLength;
    }
    return true;
  }, stop);
  if (read === null) return null;
  return { stdout: Buffer.concat(heard.stdout).toString(), stderr: Buffer.concat(heard.stderr).toString(), whole: true };
}

/** A command of its own for a caller's n-th exec. */
export function workOf(roll: Dice, token: string, shape: "short" | "long" | "endless" | "input"): Work {
  const exitCode = roll(4) === 0 ? 1 + roll(100) : 0;
  if (shape === "input") return { token, lines: 0, padBytes: 0, pauseMs: 0, exitCode, input: `${token} `.repeat(1 + roll(5_000)) };
  if (shape === "endless") return { token, lines: 200, padBytes: 0, pauseMs: 200, exitCode, input: null };
  const lines = shape === "short" ? 1 + roll(5) : 10 + roll(20);
  return { token, lines, padBytes: roll(3) === 0 ? 500 + roll(2_000) : 0, pauseMs: 50 + roll(150), exitCode, input: null };
}
