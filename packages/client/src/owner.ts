import { defaultPodName } from "@podq/jobs";
import { ownerText } from "@podq/store";
import type { Context } from "./context.ts";
import { asPodqError, PodqError } from "./errors.ts";
import type { Job } from "./job.ts";
import { podHandle, type DeleteOptions } from "./pod.ts";

/** What came of a delete of all pods of an owner: the jobs that were accepted, by the pods' names, and the pods whose job was not. */
export type OwnerDeletion = { jobs: { name: string; job: Job<"delete"> }[]; failed: { name: string; error: PodqError }[] };

const pageSize = 1_000;
const atOnce = 20;

/** Enqueues a delete of each pod that an owner has, or has jobs for. Throws PodqError `owner-missing`, `invalid-request`, `unavailable`. */
export async function deleteOwner(
  context: Context,
  address: { project?: string; conversation?: string },
  options: DeleteOptions = {},
): Promise<OwnerDeletion> {
  const { project, conversation } = address;
  const { owner } = podHandle(context, { ...(project !== undefined && { project }), ...(conversation !== undefined && { conversation }) });
  const names = await namesOf(context, ownerText(owner)).catch((error: unknown) => Promise.reject(asPodqError(error)));
  const done: OwnerDeletion = { jobs: [], failed: [] };
  for (let n = 0; n < names.length; n += atOnce) {
    const some = names.slice(n, n + atOnce);
    const went = await Promise.allSettled(some.map(async (name) => podHandle(context, { ...owner, name }).delete(options)));
    for (const [place, one] of went.entries()) {
      const name = some[place] ?? defaultPodName;
      if (one.status === "fulfilled") done.jobs.push({ name, job: one.value });
      else if (options.signal?.aborted) throw one.reason;
      else done.failed.push({ name, error: asPodqError(one.reason) });
    }
  }
  return done;
}

// A create that waits has no record of its pod yet, and is not to outlive the delete of its owner.
async function namesOf({ store }: Context, owner: string): Promise<string[]> {
  const names = new Set(await store.jobs.names(owner));
  for (let after: string | undefined; ;) {
    const page = await store.pods.list({ owners: [owner], ...(after !== undefined && { after }) }, pageSize);
    for (const { name, status } of page) if (status !== "deleted") names.add(name);
    after = page.at(-1)?._id;
    if (page.length < pageSize) return [...names].toSorted();
  }
}
