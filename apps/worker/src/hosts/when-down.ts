import type { Failure } from "@podq/jobs";
import { KubeError } from "@podq/kube";
import type { JobDocument } from "@podq/store";
import type { Handler } from "../execute.ts";
import { backoffMs, ended, failureOf, outcomeOf, type Outcome } from "../outcome.ts";
import type { HostSettings } from "./settings.ts";

// Longer than other waits: what waits for a dead host may be much, for long.
const longestMs = 120_000;

const isDown = (error: Failure | null): error is Failure => error?.code === "host-unreachable" || error?.code === "cluster-unreachable";

/**
 * What becomes of a job whose host, or the cluster behind it, could not be reached, where that is configured: it fails, or it waits up to its deadline, whatever its number
 * of attempts. What may be running in a pod is looked after in any case.
 */
export function whenDown(policy: HostSettings["whenDown"], outcome: Outcome, job: Pick<JobDocument, "attempt" | "deadlineAt">): Outcome {
  const isFailure = outcome.kind === "retry" || (outcome.kind === "end" && outcome.state === "failed");
  const error = isFailure ? outcome.error : null;
  if (policy === null || !isDown(error)) return outcome;
  if (policy === "fail") return outcome.kind === "retry" && outcome.looksAfter !== true ? ended("failed", error) : outcome;
  if (outcome.kind === "retry" && outcome.looksAfter) return { ...outcome, uncounted: true };
  if (job.deadlineAt.getTime() <= Date.now()) return outcome.kind === "end" ? outcome : ended("failed", error);
  return { kind: "retry", error, delayMs: backoffMs(job.attempt, undefined, longestMs), uncounted: true };
}

/** A handler of jobs on a host that does with them what is configured, when the host cannot be reached. */
export function governed(policy: HostSettings["whenDown"], handler: Handler): Handler {
  if (policy === null) return handler;
  return async (attempt) => {
    const { job, hold, log } = attempt;
    try {
      return whenDown(policy, await handler(attempt), job);
    } catch (error) {
      const failure = error instanceof KubeError ? failureOf(error) : null;
      if (!isDown(failure) || hold.cancel.aborted || hold.detach.aborted) throw error;
      log.warn({ err: error }, "the host cannot be reached");
      return whenDown(policy, outcomeOf(failure, { n: job.attempt, max: job.maxAttempts, deadlineAt: job.deadlineAt }), job);
    }
  };
}
