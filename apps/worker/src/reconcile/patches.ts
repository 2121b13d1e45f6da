import type { PodIdentity, Sight } from "@podq/kube";
import type { PodDocument, PodPatch } from "@podq/store";
import { gonePatch } from "../handlers/delete.ts";
import { patchOf, type Place } from "../handlers/place.ts";
import type { Decision, Reason } from "./decide.ts";

/** A pod as its record says to find it on the cluster. */
export function refOf({ identity, deploymentUid }: PodDocument): PodIdentity & { deploymentUid: string | undefined } {
  return { ...identity, deploymentUid: deploymentUid ?? undefined };
}

/** What a decision changes in the record, in one move or two. */
export function patchesOf(
  pod: PodDocument,
  decision: Exclude<Decision, { kind: "agree" }>,
  { observation }: Sight,
  place: Place,
): [PodPatch, ...PodPatch[]] {
  if (decision.kind === "gone") return pod.status === "deleting" ? [gonePatch()] : [{ status: "deleting" }, gonePatch()];
  const { status, error, cause, drifted } = decision;
  const { image, resources } = observation;
  return [
    {
      ...patchOf(observation, place),
      ...(image === undefined ? {} : { image }),
      ...(resources === undefined ? {} : { resources }),
      ...(pod.status === status ? { stoppedAt: pod.stoppedAt } : {}),
      status,
      error: told(error),
      cause: told(cause),
      differs: pod.differs,
      drifted,
      marks: pod.marks,
    },
  ];
}

// A reason that is kept from before has its time already.
function told(reason: (Reason & { at?: Date }) | null): (Reason & { at: Date }) | null {
  return reason && { at: new Date(), ...reason };
}
