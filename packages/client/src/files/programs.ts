import { readFileSync } from "node:fs";
import { codes, type Code } from "@podq/jobs";
import { PodqError } from "../errors.ts";
import type { Job } from "../job.ts";
import type { Pod } from "../pod.ts";
import { JobError, type ExecResult } from "../result.ts";
import type { Stdin } from "../accept.ts";

/** What all that is done with files can be told. `signal` cancels it. */
export type FileOptions = {
  /** Time for it in the pod. Default 1 h, at most 24 h. */
  timeoutMs?: number;
  signal?: AbortSignal;
};

type Verb = "put" | "get" | "list" | "read" | "remove";

const defaultTimeoutMs = 3_600_000;
const told = 97;

// Without comments and indentation: it goes along with each call.
const load = (name: string): string =>
  readFileSync(new URL(`./${name}.sh`, import.meta.url), "utf8")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .join("\n");

const loaded = new Map<Verb, string>();

/** Starts one of the programs in a pod. It shares the pod with others that may, and waits for those that may not. */
export async function begin(
  pod: Pick<Pod, "exec">,
  verb: Verb,
  args: readonly string[],
  { timeoutMs = defaultTimeoutMs, signal }: FileOptions,
  more: { stdin?: Stdin; maxOutputBytes?: number } = {},
): Promise<Job<"exec">> {
  let program = loaded.get(verb);
  if (program === undefined) loaded.set(verb, (program = `${load("common")}\n${load(verb)}`));
  return pod.exec(["sh", "-c", program, `podq-${verb}`, ...args], {
    timeoutMs,
    parallel: true,
    labels: { "podq-files": verb },
    ...(signal && { signal }),
    ...more,
  });
}

/** Waits for the end of such a program. Throws what it said went wrong. */
export async function finish(job: Job<"exec">, shown: string, signal?: AbortSignal): Promise<ExecResult> {
  const cancel = (): void => void job.cancel({ reason: "its caller gave it up" }).catch(() => undefined);
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    signal?.throwIfAborted();
    const result = await job.result(signal === undefined ? {} : { signal });
    if (result.exitCode !== 0) throw saidError(result.exitCode, result.stderr.text(), shown, job.id);
    return result;
  } catch (error) {
    if (signal?.aborted) cancel();
    if (error instanceof JobError) throw new PodqError(error.code, `${shown}: ${error.message}`, { cause: error, jobId: job.id });
    throw error;
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

function saidError(exitCode: number, stderr: string, shown: string, jobId: string): PodqError {
  const [, code, text] = /^podq:([a-z-]+):(.*)$/m.exec(stderr) ?? [];
  if (exitCode === told && (codes as readonly string[]).includes(code ?? ""))
    return new PodqError(code as Code, `${shown}: ${text}`, { jobId });
  return new PodqError("internal", `${shown}: the pod's shell ended with ${exitCode}: ${stderr.trim().slice(-500)}`, { jobId });
}
