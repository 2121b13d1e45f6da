import { ownerText, type JobDocument, type PodDocument, type PodStore, type Reserved, type Store } from "@podq/store";
import type { KubeError, Pods } from "@podq/kube";
import { isLimited, larger, overLimit, reservedOf, type OwnerLimits } from "../limits.ts";

/** Lets pods in beside their owners' others. A pod counts from here until it is deleted, whether it runs or not. */
export type Admit = ReturnType<typeof createAdmit>;

const lookWithinMs = 10_000;

export function createAdmit({ pods: records, admissions }: Pick<Store, "pods" | "admissions">, limits: OwnerLimits) {
  const limited = isLimited(limits);

  const admit = async (
    job: Pick<JobDocument, "owner" | "name">,
    asked: Reserved,
    write: (pods: PodStore) => Promise<PodDocument | null>,
  ): Promise<PodDocument | null> => {
    const refuse = (others: PodDocument[]): string | null =>
      overLimit(
        ownerText(job.owner),
        limits,
        others.flatMap((other) => reservedOf(other) ?? []),
        asked,
      );
    return limited ? admissions.admit(job, refuse, write) : write(records);
  };

  return {
    /** Writes the record of a pod that was not there. Null: somebody else is at it. Throws StoreError `quota-exceeded`. */
    anew: admit,

    /** The record of one that was, with what it may come to take up now. What an attempt before this one was given is not asked for twice. */
    async again(pod: PodDocument, asked: Reserved): Promise<PodDocument | null> {
      const before = reservedOf(pod);
      const reserved = before === null ? { memory: asked.memory, cpu: asked.cpu } : larger(before, asked);
      if (!limited || (before?.cpu === reserved.cpu && before.memory === reserved.memory)) return pod;
      return admit(pod, reserved, async (all) => all.patch(pod, { reserved }));
    },

    /** What a failed create changes in its record: where nothing was left on the cluster, nothing counts; where nothing was changed, what was there. */
    async givenBack(pods: Pods, { namespace, identity }: PodDocument, error: KubeError): Promise<{ reserved?: Reserved | null }> {
      const { resources } = error.observation ?? {};
      if (error.code === "changed" && resources !== undefined) return { reserved: { memory: resources.memory, cpu: resources.cpu } };
      if (!limited || error.code === "namespace-terminating" || error.observation?.status !== "absent") return {};
      // That nothing was there is what was seen before it was tried.
      const there = await pods.observe({ namespace, deployment: identity.deployment }, { timeoutMs: lookWithinMs }).catch(() => null);
      return there?.status === "absent" ? { reserved: null } : {};
    },
  };
}
