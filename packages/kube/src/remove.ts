import { KubeError } from "./errors.ts";
import { named, paths } from "./kubectl.ts";
import type { Bounds, Kubectl } from "./kubectl.ts";
import { label } from "./names.ts";
import type { Namespace } from "./objects.ts";
import { conditionsOf } from "./sight.ts";
import { watchOnce } from "./watch.ts";

/** Which pod's objects: names as recorded, and the uids where they are known. */
export type PodRef = { namespace: string; namespaceUid?: string | undefined; deployment: string; deploymentUid?: string | undefined };

/**
 * Deletes a pod's Deployment, so that it stops at once, and its namespace, and waits until that is gone. What is not there, or
 * has another uid than recorded, is left alone and counts as gone. Throws `namespace-stuck` when the time is over.
 */
export async function removePod(kubectl: Kubectl, installation: string, ref: PodRef, bounds: Bounds): Promise<void> {
  const uid = ref.namespaceUid ?? (await lookUp(kubectl, installation, ref.namespace, bounds));
  if (uid === undefined) return;
  if (ref.deploymentUid !== undefined) await kubectl.deleteRaw(paths.deployment(ref.namespace, ref.deployment), ref.deploymentUid, bounds);
  const deleted = await kubectl.deleteRaw(paths.namespace(ref.namespace), uid, bounds);
  if (deleted === "deleted") await untilGone(kubectl, ref.namespace, uid, bounds);
}

// Without a record, the labels have to say that it is ours.
async function lookUp(kubectl: Kubectl, installation: string, name: string, bounds: Bounds): Promise<string | undefined> {
  const there = await kubectl.getRaw<Namespace>(paths.namespace(name), bounds);
  const labels = there?.metadata.labels ?? {};
  return labels[label.managedBy] === "podq" && labels[label.installation] === installation ? there?.metadata.uid : undefined;
}

async function untilGone(kubectl: Kubectl, name: string, uid: string, bounds: Bounds): Promise<void> {
  for (let last: Namespace | undefined; ;) {
    if (bounds.signal?.aborted) throw new KubeError("cancelled", `the delete was cancelled while namespace ${name} was going`);
    if (performance.now() >= bounds.until) throw new KubeError("namespace-stuck", stuckMessage(name, last));
    try {
      const there = await kubectl.getRaw<Namespace>(paths.namespace(name), bounds);
      if (there === undefined || there.metadata.uid !== uid) return;
      last = there;
      last = await untilDeletedEvent(kubectl, there, bounds);
    } catch (error) {
      // The end of the time and the caller's cancel cut this off as well; the head of the loop says it better.
      if (performance.now() < bounds.until && !bounds.signal?.aborted) throw error;
    }
  }
}

// Watches from what was just read, so that nothing is missed in between; the last state seen is returned at the end of the time.
async function untilDeletedEvent(kubectl: Kubectl, there: Namespace, bounds: Bounds): Promise<Namespace> {
  let last = there;
  const over = new AbortController();
  const signal = bounds.signal ? AbortSignal.any([bounds.signal, over.signal]) : over.signal;
  const { name, resourceVersion } = there.metadata;
  const path = paths.namespaces(`${named(name)}&resourceVersion=${resourceVersion ?? ""}`);
  await watchOnce<Namespace>(
    kubectl,
    path,
    { signal, until: bounds.until },
    {
      event({ type, object }) {
        last = object;
        if (type === "DELETED") over.abort();
      },
    },
  );
  return last;
}

function stuckMessage(name: string, last: Namespace | undefined): string {
  const reasons = conditionsOf(last);
  return `namespace ${name} is still there${reasons === "" ? "" : `: ${reasons}`}`;
}
