import type { Line } from "@podq/client/line";
import type { AdmissionStore, PodStore } from "@podq/store";

/** The pods' records, whose followers are told of each change. */
export function nudging(pods: PodStore, line: Pick<Line, "nudge">): PodStore {
  const told = <Args extends [unknown, ...unknown[]], Pod extends { _id: string } | null>(change: (...args: Args) => Promise<Pod>) => {
    return async (...args: Args): Promise<Pod> => {
      const pod = await change(...args);
      if (pod !== null) void line.nudge(pod._id); // never rejects; nobody's work waits for it
      return pod;
    };
  };
  return {
    ...pods,
    insert: told(async (...pod: Parameters<PodStore["insert"]>) => pods.insert(...pod)),
    renew: told(async (...pod: Parameters<PodStore["renew"]>) => pods.renew(...pod)),
    patch: told(async (...pod: Parameters<PodStore["patch"]>) => pods.patch(...pod)),
  };
}

/** The admissions of pods, whose followers are told when one is in. */
export function nudgingAdmissions(admissions: AdmissionStore, line: Pick<Line, "nudge">): AdmissionStore {
  return {
    async admit(...pod) {
      const admitted = await admissions.admit(...pod);
      if (admitted !== null) void line.nudge(admitted._id);
      return admitted;
    },
  };
}
