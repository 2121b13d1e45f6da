import type { PodObservation } from "./observation.ts";

/** Every way in which work on the cluster can fail, one meaning each. Which of them are tried again is the caller's decision. */
export const kubeCodes = [
  // What was asked for.
  "invalid-request", // the API server refused an object as malformed
  "conflict", // something that is not ours, or not this pod's, stands under the name
  // Why a pod does not run.
  "image-not-found",
  "image-invalid", // not a reference to an image at all
  "image-pull-failed", // refused, or the registry does not answer
  "unschedulable",
  "quota-exceeded",
  "policy-violation", // Pod Security, a LimitRange or an admission webhook
  "config-error",
  "crash-loop",
  "unhealthy", // a probe of its own fails: it never got ready, or is started anew again and again
  "start-failed", // the container could not be started: no such command, no right to execute it
  "oom-killed",
  "evicted",
  "node-lost", // its node is not heard of; the pod may run on there
  "container-ended", // its command ended, and was started again
  "start-timeout", // the time was over before the cluster named a cause
  "node-port-exhausted",
  "stop-timeout", // its processes were not gone when the time was over
  "superseded", // somebody with a higher fence has written since: this word is void
  "changed", // it is there, is otherwise than asked, and was to be left alone then
  "modified", // the object changed between the look and the write
  // Around a delete.
  "namespace-terminating", // the namespace is on its way out: whatever is put into it goes too
  "namespace-stuck", // it does not go: its conditions are in the message
  // The way to the cluster.
  "host-unreachable",
  "host-key-mismatch",
  "host-auth-failed",
  "kubectl-missing",
  "cluster-unreachable",
  "forbidden",
  "cancelled", // the caller's signal
  "internal", // an answer that nobody foresaw
] as const;

/** One of `kubeCodes`. */
export type KubeCode = (typeof kubeCodes)[number];

/** Work on the cluster that failed; `observation` is what stood there afterwards, if it was about a pod and could be seen. */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly code: KubeCode;
  readonly observation: PodObservation | undefined;

  constructor(code: KubeCode, message: string, options: { cause?: unknown; observation?: PodObservation | undefined } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.observation = options.observation;
  }

  /** The same failure, with what stands there. */
  withObservation(observation: PodObservation): KubeError {
    return new KubeError(this.code, this.message, { cause: this.cause, observation });
  }
}
