/** Every code that tells why a job or a request failed: stable words, one meaning each. */
export const codes = [
  // the request
  "invalid-request",
  "owner-missing",
  "conflict",
  "backlog-full",
  "not-found",
  // podq itself: its Redis or MongoDB cannot be reached, or is not fit for it
  "unavailable",
  // the pod
  "pod-not-running",
  "image-not-found",
  "image-invalid",
  "image-pull-failed",
  "unschedulable",
  "quota-exceeded",
  "policy-violation",
  "config-error",
  "crash-loop",
  "unhealthy",
  "start-failed",
  "oom-killed",
  "evicted",
  "node-lost",
  "container-ended",
  "changed-outside",
  "start-timeout",
  "stop-timeout",
  "namespace-stuck",
  "node-port-exhausted",
  // the command
  "timed-out",
  "cancelled",
  "cwd-not-found",
  "journal-unavailable",
  "no-shell",
  "command-not-found",
  "outcome-unknown",
  "pod-replaced",
  // the files in it
  "path-refused",
  "volume-full",
  "volume-read-only",
  // the way to the pod
  "host-unreachable",
  "host-key-mismatch",
  "host-auth-failed",
  "kubectl-missing",
  "cluster-unreachable",
  "forbidden",
  "deadline-exceeded",
  "internal",
] as const;

/** A code of {@link codes}. */
export type Code = (typeof codes)[number];

/** Why a job or a pod failed, as it is kept and shown: a code for programs, a sentence for people. */
export type Failure = { code: Code; message: string };
