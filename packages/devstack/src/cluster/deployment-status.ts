import { condition, timestamp, withCondition } from "./object.ts";
import type { Condition, Deployment, ReplicaSet } from "./object.ts";

/** The revision that a ReplicaSet carries; 0 if none. */
export const revisionOf = (set: ReplicaSet): number => Number(set.metadata.annotations?.["deployment.kubernetes.io/revision"] ?? 0);

/** The status of a Deployment, from its ReplicaSets; `newest` is the one of its present template. */
export function deploymentStatus(
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  sets: readonly ReplicaSet[],
): Deployment["status"] {
  const sum = (count: (set: ReplicaSet) => number | undefined): number => sets.reduce((total, one) => total + (count(one) ?? 0), 0);
  const replicas = sum((one) => one.status.replicas);
  const ready = sum((one) => one.status.readyReplicas);
  const available = sum((one) => one.status.availableReplicas);
  const updated = newest?.status.replicas ?? 0;
  const wanted = deployment.spec.replicas;
  const counts = {
    ...(replicas > 0 ? { replicas } : {}),
    ...(updated > 0 ? { updatedReplicas: updated } : {}),
    ...(ready > 0 ? { readyReplicas: ready } : {}),
    ...(available > 0 ? { availableReplicas: available } : {}),
    ...(wanted - available > 0 ? { unavailableReplicas: wanted - available } : {}),
  };
  const complete = updated === wanted && replicas === wanted && available >= wanted && newest !== undefined;
  let conditions = withCondition(deployment.status.conditions, availability(available >= wanted));
  conditions = progress(deployment, conditions, newest, complete);
  conditions = replicaFailure(conditions, newest);
  const observedGeneration = deployment.metadata.generation ?? 1;
  return { observedGeneration, ...counts, terminatingReplicas: 0, conditions };
}

function availability(enough: boolean): Condition {
  const now = timestamp();
  return enough
    ? {
        type: "Available",
        status: "True",
        reason: "MinimumReplicasAvailable",
        message: "Deployment has minimum availability.",
        lastUpdateTime: now,
      }
    : {
        type: "Available",
        status: "False",
        reason: "MinimumReplicasUnavailable",
        message: "Deployment does not have minimum availability.",
        lastUpdateTime: now,
      };
}

// `lastUpdateTime` of Progressing is when there was progress last: the deadline counts from there, so it must not move without.
function progress(deployment: Deployment, conditions: Condition[], newest: ReplicaSet | undefined, complete: boolean): Condition[] {
  const old = condition(conditions, "Progressing");
  const name = newest?.metadata.name ?? "";
  const put = (status: "True" | "False", reason: string, message: string): Condition[] => {
    const same = old?.reason === reason && old.message === message;
    return withCondition(conditions, {
      type: "Progressing",
      status,
      reason,
      message,
      lastUpdateTime: (same && old?.lastUpdateTime) || timestamp(),
    });
  };
  if (!newest) return old ? conditions : put("True", "NewReplicaSetCreated", "Created new replica set");
  if (complete) return put("True", "NewReplicaSetAvailable", `ReplicaSet "${name}" has successfully progressed.`);
  const isNewRound = !old || (deployment.status.observedGeneration ?? 0) < (deployment.metadata.generation ?? 1);
  // Once available it stays so in the eyes of this condition, until the next change of the template.
  if (old?.reason === "NewReplicaSetAvailable" && old.message?.includes(`"${name}"`)) return conditions;
  if (!isNewRound && (old.reason === "ProgressDeadlineExceeded" || (progressLeft(deployment) ?? 1) <= 0)) {
    return put("False", "ProgressDeadlineExceeded", `ReplicaSet "${name}" has timed out progressing.`);
  }
  if (newest.status.replicas === 0) return put("True", "NewReplicaSetCreated", `Created new replica set "${name}"`);
  return put("True", "ReplicaSetUpdated", `ReplicaSet "${name}" is progressing.`);
}

/** How long until a rollout that goes on is called overdue, in milliseconds; undefined if none goes on. */
export function progressLeft(deployment: Deployment): number | undefined {
  const now = condition(deployment.status.conditions, "Progressing");
  if (!now?.lastUpdateTime || now.reason === "NewReplicaSetAvailable" || now.reason === "ProgressDeadlineExceeded") return undefined;
  return Date.parse(now.lastUpdateTime) + deployment.spec.progressDeadlineSeconds * 1000 - Date.now();
}

function replicaFailure(conditions: Condition[], newest: ReplicaSet | undefined): Condition[] {
  const failure = condition(newest?.status.conditions, "ReplicaFailure");
  if (failure) return withCondition(conditions, { ...failure, lastUpdateTime: failure.lastUpdateTime ?? timestamp() });
  return conditions.filter((one) => one.type !== "ReplicaFailure");
}
