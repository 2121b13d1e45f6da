import type { Code, Failure, TerminalState } from "@podq/jobs";
import { KubeError, type KubeCode } from "@podq/kube";
import { isUnreachable, StoreError } from "@podq/store";

/** What becomes of a job after an attempt. `why` goes into the attempt's record, in words. */
export type Outcome =
  | { kind: "end"; state: TerminalState; result: unknown; error: Failure | null; why: string }
  // `looksAfter`: its command may be running in the pod; `uncounted`: the attempt does not count towards maxAttempts.
  | { kind: "retry"; delayMs: number; error: Failure; looksAfter?: boolean; uncounted?: boolean }
  | { kind: "release"; why: string } // left to another worker, which goes on where this one was
  | { kind: "fenced" }; // the attempt is over: another worker has the job, and nothing may be written

type Verdict = "retry" | "fail" | "cancel" | "lost";

// A new code without a verdict does not compile. What the cluster says about a pod is final: it is told within seconds, and a
// later create repairs it. What fails on the way to the cluster is tried again.
const verdicts: Record<Code, Verdict> = {
  "invalid-request": "fail",
  "owner-missing": "fail",
  conflict: "fail",
  "backlog-full": "fail",
  "not-found": "fail",
  unavailable: "retry",
  "pod-not-running": "fail",
  "image-not-found": "fail",
  "image-invalid": "fail",
  "image-pull-failed": "fail",
  unschedulable: "fail",
  "quota-exceeded": "fail",
  "policy-violation": "fail",
  "config-error": "fail",
  "crash-loop": "fail",
  unhealthy: "fail",
  "start-failed": "fail",
  "oom-killed": "fail",
  evicted: "retry",
  "node-lost": "retry",
  "container-ended": "fail",
  "changed-outside": "fail",
  "start-timeout": "fail",
  "stop-timeout": "fail",
  "namespace-stuck": "fail",
  "node-port-exhausted": "retry",
  "timed-out": "fail",
  cancelled: "cancel",
  "cwd-not-found": "fail",
  "journal-unavailable": "fail",
  "no-shell": "fail",
  "command-not-found": "fail",
  "outcome-unknown": "lost",
  "pod-replaced": "lost",
  "path-refused": "fail",
  "volume-full": "fail",
  "volume-read-only": "fail",
  "host-unreachable": "retry",
  "host-key-mismatch": "fail",
  "host-auth-failed": "fail",
  "kubectl-missing": "fail",
  "cluster-unreachable": "retry",
  forbidden: "fail",
  "deadline-exceeded": "fail",
  internal: "retry",
};

/** An end that is no success. */
export function ended(state: Exclude<TerminalState, "succeeded">, error: Failure, result: unknown = null): Outcome & { kind: "end" } {
  return { kind: "end", state, result, error, why: error.message };
}

const firstDelayMs = 500;
const longestDelayMs = 30_000;

/** How long to wait before the attempt after the n-th: half a second, doubled each time up to the longest, less up to half of it at random. */
export function backoffMs(attempt: number, random: number = Math.random(), longestMs = longestDelayMs): number {
  return Math.round(Math.min(longestMs, firstDelayMs * 2 ** (attempt - 1)) * (1 - random / 2));
}

/** What a failed attempt leads to. A retry that may not be is the failure itself. */
export function outcomeOf(error: Failure, attempt: { n: number; max: number; deadlineAt: Date }): Outcome {
  const verdict = verdicts[error.code];
  if (verdict === "cancel") return ended("cancelled", error);
  if (verdict === "lost") return ended("lost", error);
  if (verdict === "retry" && attempt.n < attempt.max && attempt.deadlineAt.getTime() > Date.now())
    return { kind: "retry", delayMs: backoffMs(attempt.n), error };
  return ended("failed", error);
}

/** Any error as a code and a sentence. */
export function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof KubeError) return { code: codeOf(error.code), message };
  if (error instanceof StoreError && error.code === "quota-exceeded") return { code: error.code, message };
  return { code: isUnreachable(error) ? "unavailable" : "internal", message };
}

/**
 * A code of kube's as callers see it. Four words they do not: what was not to be changed is a conflict, a create makes the next
 * generation instead of waiting for a namespace to go, what was modified is written again, and an attempt that is over says nothing.
 */
export function codeOf(code: KubeCode): Code {
  if (code === "namespace-terminating") return "namespace-stuck";
  if (code === "changed") return "conflict";
  return code === "modified" || code === "superseded" ? "internal" : code;
}
