import { timestamp, withCondition } from "./object.ts";
import type { Condition, Container, ContainerState, ContainerStatus, Pod, PodStatus, Terminated } from "./object.ts";
import { quantityValue } from "./quantity.ts";

/** What is known of a pod's one container. */
export type ContainerFacts = {
  state: ContainerState;
  lastState: ContainerState;
  restartCount: number;
  containerID?: string;
  imageID: string;
  /** What its probes say; undefined without any: a container that runs is ready. */
  probes?: { started: boolean; ready: boolean };
};

/** What is known of a pod on its node. */
export type NodeFacts = {
  hostIP: string;
  podIP?: string;
  startTime: string;
  phase?: PodStatus["phase"];
  reason?: string;
  message?: string;
};

/** The status of a pod that a node has taken. */
export function podStatus(pod: Pod, node: NodeFacts, facts: ContainerFacts | undefined): PodStatus {
  const [container] = pod.spec.containers;
  const running = facts?.state.running !== undefined && node.phase === undefined;
  const over = node.phase !== undefined;
  const begun = facts !== undefined && (facts.containerID !== undefined || facts.lastState.terminated !== undefined || running);
  const phase = node.phase ?? (begun ? "Running" : "Pending");
  const unready = container ? `containers with unready status: [${container.name}]` : "";
  const notReady = over ? { reason: "PodFailed" } : { reason: "ContainersNotReady", message: unready };
  const isReady = running && facts?.probes?.ready !== false;
  const ready = (type: string): Condition => ({ type, status: isReady ? "True" : "False", ...(isReady ? {} : notReady) });
  const conditions: Condition[] = [
    { type: "PodReadyToStartContainers", status: node.podIP && !over ? "True" : "False" },
    { type: "Initialized", status: "True" },
    ready("Ready"),
    ready("ContainersReady"),
    { type: "PodScheduled", status: "True" },
  ];
  const observedGeneration = pod.metadata.generation ?? 1;
  const old = pod.status.conditions ?? [];
  const merged = conditions.map((one) => withCondition(old, one).find(({ type }) => type === one.type) ?? one);
  const failed = { ...(node.reason ? { reason: node.reason } : {}), ...(node.message ? { message: node.message } : {}) };
  return {
    ...failed,
    phase,
    observedGeneration,
    conditions: merged.map((one) => ({ lastProbeTime: null, observedGeneration, ...one })),
    ...(container && facts ? { containerStatuses: [containerStatus(container, facts, running)] } : {}),
    hostIP: node.hostIP,
    hostIPs: [{ ip: node.hostIP }],
    ...(node.podIP ? { podIP: node.podIP, podIPs: [{ ip: node.podIP }] } : {}),
    startTime: node.startTime,
    qosClass: qosClass(pod.spec.containers),
  } as PodStatus;
}

function containerStatus({ name, image }: Container, facts: ContainerFacts, running: boolean): ContainerStatus {
  const { state, lastState, restartCount, containerID, imageID } = facts;
  return {
    name,
    state,
    lastState,
    ready: running && facts.probes?.ready !== false,
    restartCount,
    image,
    imageID,
    ...(containerID ? { containerID } : {}),
    started: running && facts.probes?.started !== false,
  };
}

function qosClass(containers: readonly Container[]): string {
  const all = containers.flatMap(({ resources }) =>
    ["cpu", "memory"].map((name) => [resources?.requests?.[name], resources?.limits?.[name]]),
  );
  if (all.every(([request, limit]) => request === undefined && limit === undefined)) return "BestEffort";
  const equal = all.every(([request, limit]) => limit !== undefined && quantityValue(request) === quantityValue(limit));
  return equal ? "Guaranteed" : "Burstable";
}

/** The end of a container that ended with this code; above 128 it was a signal. */
export function terminated(code: number, startedAt: string, containerID: string, reason?: string): Terminated {
  return { exitCode: code, reason: reason ?? (code === 0 ? "Completed" : "Error"), startedAt, finishedAt: timestamp(), containerID };
}

/** The status of a pod that no node takes. */
export function unscheduledStatus(pod: Pod, message: string): PodStatus {
  const next: Condition = { type: "PodScheduled", status: "False", reason: "Unschedulable", message, lastProbeTime: null };
  return { ...pod.status, phase: "Pending", conditions: withCondition(pod.status.conditions, next) };
}
