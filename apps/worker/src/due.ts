import type { Params } from "@podq/jobs";
import type { ExpiringPod, Expiry, JobDocument, PodDocument, Store } from "@podq/store";
import { ended, type Outcome } from "./outcome.ts";

/** When a pod that was last used then has been idle for as long as it may; null if it may be for ever. */
function idleSinceAt({ idleAfterMs, usedAt }: Expiry, lastEnd: Date | null): Date | null {
  if (idleAfterMs === null) return null;
  return new Date(Math.max(usedAt.getTime(), lastEnd?.getTime() ?? 0) + idleAfterMs);
}

/** When a pod is due for being idle, as far as is known now; null if it has jobs, or never. */
export async function idleAt(jobs: Store["jobs"], pod: Pick<ExpiringPod, "_id" | "expiry">, own = 0): Promise<Date | null> {
  if ((await jobs.unfinished(pod._id)) > own) return null;
  return idleSinceAt(pod.expiry, await jobs.lastEnd(pod._id));
}

/** The end of a job that is only for a pod whose time is over, if that is not so any more at the job's turn. */
export async function notDue(jobs: Store["jobs"], { params, podKey }: JobDocument, pod: PodDocument | null): Promise<Outcome | null> {
  const { ifIdle, ifOverdue } = params as Params<"delete">;
  const now = Date.now();
  if (ifOverdue && (pod?.expiry?.ttlAt?.getTime() ?? Infinity) > now) return notNow(`pod ${podKey} may live for longer by now`);
  if (!ifIdle) return null;
  const at = pod?.status === "running" && pod.expiry ? await idleAt(jobs, { _id: pod._id, expiry: pod.expiry }, 1) : null;
  return at !== null && at.getTime() <= now ? null : notNow(`pod ${podKey} is not idle, or not running, any more`);
}

function notNow(message: string): Outcome {
  return ended("cancelled", { code: "cancelled", message });
}
