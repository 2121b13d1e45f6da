import { containerName, idleCommand } from "./manifest.ts";
import type { KubeCode } from "./errors.ts";
import type { Condition, ContainerStatus, Deployment, Pod, Terminated } from "./objects.ts";

/**
 * What the cluster's objects say of a pod. `holdMs`: believe it only once it has been the same for so long, because the cluster
 * is known to say it in passing, too.
 */
export type Verdict =
  | { kind: "absent" }
  | { kind: "stopped" }
  | { kind: "starting" }
  | { kind: "running"; holdMs: number }
  | { kind: "failed"; code: KubeCode; message: string; holdMs: number };

const failed = (code: KubeCode, message: string, holdMs = 0): Verdict => ({ kind: "failed", code, message, holdMs });

/** Judges a Deployment (that of one pod) and the pods of its namespace. Pure: no clock, no memory. */
export function judge(deployment: Deployment | undefined, pods: readonly Pod[]): Verdict {
  if (deployment === undefined) return { kind: "absent" };
  if (deployment.spec.replicas === 0) return { kind: "stopped" };
  const current = currentPod(deployment, pods);
  const ofPod = current === undefined ? ofMissingPod(deployment, pods) : ofCurrentPod(deployment, current);
  if (ofPod.kind !== "starting") return ofPod;
  return ofConditions(deployment) ?? ofPod;
}

/**
 * The pod that is meant when "the" pod is spoken of: made from the Deployment's present template, not on its way out, not
 * ended. Names and labels alone could give an evicted pod that lingers, or a ready one that is being deleted.
 */
export function currentPod(deployment: Deployment, pods: readonly Pod[]): Pod | undefined {
  return candidates(deployment, pods)
    .filter((pod) => !hasEnded(pod))
    .toSorted((a, b) => Number(isReady(b)) - Number(isReady(a)) || age(b) - age(a))[0];
}

/** The status of the pod's one container, if the kubelet has reported it. */
export function containerOf(pod: Pod | undefined): ContainerStatus | undefined {
  return pod?.status?.containerStatuses?.find((status) => status.name === containerName);
}

function candidates(deployment: Deployment, pods: readonly Pod[]): Pod[] {
  const template = deployment.spec.template.metadata?.annotations ?? {};
  return pods.filter(
    ({ metadata }) =>
      metadata.deletionTimestamp === undefined && Object.entries(template).every(([key, value]) => metadata.annotations?.[key] === value),
  );
}

const hasEnded = (pod: Pod): boolean => pod.status?.phase === "Failed" || pod.status?.phase === "Succeeded";
const isReady = (pod: Pod): boolean => pod.status?.phase === "Running" && containerOf(pod)?.ready === true;
const age = (pod: Pod): number => Date.parse(pod.metadata.creationTimestamp ?? "") || 0;

/** Why a pod ended as a whole, whose object is still there; undefined if it has not. */
export function endOfPod(pod: Pod): { code: KubeCode; message: string } | undefined {
  if (!hasEnded(pod)) return undefined;
  const { reason = "", message = "" } = pod.status ?? {};
  if (reason === "") return { code: "start-failed", message: "The pod ended, and its status does not say why." };
  const code = reason === "Evicted" || reason === "Preempting" || reason === "Terminated" ? "evicted" : "start-failed";
  return { code, message: `${reason}: ${message}` };
}

/** How the container ended before it was started once more in the same pod; undefined if it was not. */
export function lastEndOf(pod: Pod | undefined): { code: KubeCode; message: string } | undefined {
  const ended = containerOf(pod)?.lastState?.terminated;
  if (ended === undefined) return undefined;
  const verdict = ofEnded(ended, 1);
  return verdict.kind === "failed" && verdict.code !== "crash-loop"
    ? { code: verdict.code, message: verdict.message }
    : { code: "container-ended", message: `The command ended with exit code ${ended.exitCode} and was started again.` };
}

function ofMissingPod(deployment: Deployment, pods: readonly Pod[]): Verdict {
  // A replacement usually appears at once; where none does, the reason of the pod that ended is the best there is.
  const [ended] = candidates(deployment, pods).flatMap((pod) => endOfPod(pod) ?? []);
  return ended === undefined ? { kind: "starting" } : failed(ended.code, ended.message, 5_000);
}

function ofCurrentPod(deployment: Deployment, pod: Pod): Verdict {
  const scheduled = condition(pod.status?.conditions, "PodScheduled");
  // A pod that is about to go may still hold what this one needs.
  if (scheduled?.status === "False" && scheduled.reason === "Unschedulable") return failed("unschedulable", scheduled.message ?? "", 2_000);
  const container = containerOf(pod);
  if (container === undefined) return { kind: "starting" };
  const { state = {}, restartCount = 0 } = container;
  if (state.waiting !== undefined) return ofWaiting(state.waiting.reason ?? "", state.waiting.message ?? "", container);
  if (state.terminated !== undefined) return ofEnded(state.terminated, restartCount);
  if (state.running !== undefined && isOnLostNode(pod)) return failed("node-lost", lostMessage(pod), 3_000);
  const available = condition(deployment.status?.conditions, "Available")?.status === "True";
  if (state.running === undefined || !isReady(pod) || !available || isBehind(deployment)) return { kind: "starting" };
  return { kind: "running", holdMs: runningHoldMs(deployment, restartCount) };
}

// The kubelet's last word is that it is ready, and somebody else says that it is not: who looks after the nodes.
function isOnLostNode(pod: Pod): boolean {
  const ready = condition(pod.status?.conditions, "Ready");
  return (
    isReady(pod) && ready?.status === "False" && (ready.reason === undefined || ready.reason === "" || ready.reason === "NodeNotReady")
  );
}

function lostMessage(pod: Pod): string {
  return `Node ${pod.spec?.nodeName ?? "of the pod"} is not heard of; the pod may run on there.`;
}

// A busy kubelet may report a container as ready for seconds after it has ended, minReadySeconds or not; and after a restart the
// cluster calls it available between two crashes as well. Our own waiting command has no reason to end.
function runningHoldMs(deployment: Deployment, restartCount: number): number {
  if (restartCount > 0) return 10_000;
  const { command = [] } = deployment.spec.template.spec.containers[0] ?? {};
  return JSON.stringify(command) === JSON.stringify(idleCommand) ? 0 : 1_500;
}

// The table of what a container waits for.
function ofWaiting(reason: string, message: string, { lastState, restartCount = 0 }: ContainerStatus): Verdict {
  switch (reason) {
    case "InvalidImageName":
      return failed("image-invalid", message);
    case "ErrImagePull":
    case "ImagePullBackOff":
    case "RegistryUnavailable":
    case "SignatureValidationFailed":
      return ofPull(reason, message);
    case "ErrImageNeverPull":
      return failed("image-not-found", message);
    case "ImageInspectError":
      return failed("image-pull-failed", message, 5_000);
    case "CreateContainerConfigError":
      // The kubelet also says this while its caches warm up.
      return failed("config-error", message, 2_000);
    case "RunContainerError":
      return failed("start-failed", message);
    case "CreateContainerError":
      return failed("start-failed", message, 5_000);
    case "CrashLoopBackOff":
      return lastState?.terminated === undefined ? failed("crash-loop", message) : ofEnded(lastState.terminated, Math.max(restartCount, 1));
    default:
      return { kind: "starting" };
  }
}

function ofPull(reason: string, message: string): Verdict {
  // Newer kubelets repeat the registry's words behind the back-off, older ones only say that they back off.
  const words = message.replace(/^Back-off pulling image "[^"]*"(?:: (?:\w+: )?|$)/, "");
  if (/manifest unknown|name unknown|repository does not exist|: not found|404 Not Found/i.test(words))
    return failed("image-not-found", words);
  if (/unauthorized|denied|forbidden|authentication required/i.test(words) || reason === "SignatureValidationFailed")
    return failed("image-pull-failed", words);
  // A registry that does not answer may do so at the next try.
  return failed("image-pull-failed", words, 10_000);
}

function ofEnded(ended: Terminated, restarts: number): Verdict {
  const { exitCode, reason, message } = ended;
  if (reason === "OOMKilled") return failed("oom-killed", "The container exceeded its memory limit and was killed.");
  if (reason === "StartError" || reason === "ContainerCannotRun")
    return failed("start-failed", message ?? "The container could not be started.");
  // One end may be an accident. The second is enough: the kubelet may take ten seconds more to say that it backs off.
  if (restarts === 0) return { kind: "starting" };
  return failed("crash-loop", `The command ends again and again, last with exit code ${exitCode}${message ? `: ${message.trim()}` : "."}`);
}

function ofConditions(deployment: Deployment): Verdict | undefined {
  if (isBehind(deployment)) return undefined;
  const failure = condition(deployment.status?.conditions, "ReplicaFailure");
  if (failure?.status === "True") return ofReplicaFailure(failure.message ?? "");
  const progressing = condition(deployment.status?.conditions, "Progressing");
  if (progressing?.status === "False" && progressing.reason === "ProgressDeadlineExceeded")
    return failed("start-timeout", progressing.message ?? "", 3_000);
  return undefined;
}

// No pod could be made. The holds cover conditions that are left of an earlier start, and a namespace that is a moment old.
function ofReplicaFailure(message: string): Verdict | undefined {
  if (/status unknown for quota|error looking up service account|Internal error/i.test(message)) return undefined;
  if (/exceeded quota|failed quota/i.test(message)) return failed("quota-exceeded", message, 1_000);
  if (/RuntimeClass "[^"]*" not found/.test(message)) return failed("config-error", message, 1_000);
  if (/is forbidden|admission webhook|denied (?:the )?request/i.test(message)) return failed("policy-violation", message, 1_000);
  return failed("config-error", message, 2_000);
}

// What the status says is of an earlier spec.
function isBehind({ metadata, status }: Deployment): boolean {
  return (status?.observedGeneration ?? 0) < (metadata.generation ?? 0);
}

function condition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((entry) => entry.type === type);
}
