import type { KubeCode } from "./errors.ts";
import type { Deployment, Namespace, Pod } from "./objects.ts";
import { observationOf } from "./observation.ts";
import type { PodObjects, PodObservation } from "./observation.ts";
import type { PodRef } from "./remove.ts";
import { currentPod, endOfPod, judge, lastEndOf } from "./verdict.ts";
import type { Verdict } from "./verdict.ts";

/** Why something ended, in the cluster's words. */
export type Ended = { code: KubeCode; message: string };

/** What stands of a pod on the cluster, and what of its past can still be told. */
export type Sight = {
  /** Its `service` is empty where services were not looked at. */
  observation: PodObservation;
  verdict: Verdict;
  /** How many pods its Deployment asks for; 0 if there is none. */
  replicas: number;
  namespace: "absent" | "there" | "going";
  /** Why a namespace that is going is not gone: its conditions. Empty if it does not say. */
  held: string;
  /** Pods of it that ended as a whole, by their uid. */
  ended: ReadonlyMap<string, Ended>;
  /** How its container ended before it was started again in the same pod. */
  lastEnd: Ended | undefined;
};

/** Puts a sight together of the objects in a namespace. A Deployment of another uid than recorded is not the pod's. */
export function sightOf(
  ref: PodRef,
  objects: Omit<PodObjects, "deployment"> & { deployments: readonly Deployment[]; namespace: Namespace | undefined },
): Sight {
  const { deployments, namespace, pods } = objects;
  const deployment = deployments.find(
    ({ metadata: { name, uid } }) => name === ref.deployment && (ref.deploymentUid === undefined || ref.deploymentUid === uid),
  );
  const verdict = judge(deployment, pods);
  return {
    observation: observationOf(ref, { ...objects, deployment }, { verdict }),
    verdict,
    replicas: deployment === undefined ? 0 : (deployment.spec.replicas ?? 1),
    namespace: namespace === undefined ? "absent" : namespace.metadata.deletionTimestamp === undefined ? "there" : "going",
    held: conditionsOf(namespace),
    ended: new Map(pods.flatMap(endedWithUid)),
    lastEnd: deployment && lastEndOf(currentPod(deployment, pods)),
  };
}

function endedWithUid(pod: Pod): [string, Ended][] {
  const end = endOfPod(pod);
  return end === undefined ? [] : [[pod.metadata.uid, end]];
}

/** What a namespace says of itself that keeps it from going. */
export function conditionsOf(namespace: Namespace | undefined): string {
  return (namespace?.status?.conditions ?? [])
    .filter(({ status }) => status === "True")
    .map(({ type, message }) => `${type}: ${message}`)
    .join("; ");
}
