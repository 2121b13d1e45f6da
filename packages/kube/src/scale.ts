import { KubeError } from "./errors.ts";
import { fencedMetadata, untilUnmodified } from "./fence.ts";
import type { Fence } from "./fence.ts";
import type { IngressSettings } from "./ingress.ts";
import { labelled, paths } from "./kubectl.ts";
import type { Bounds, Kubectl } from "./kubectl.ts";
import { annotation, selectorOf } from "./names.ts";
import type { PodIdentity } from "./names.ts";
import type { Deployment, Pod } from "./objects.ts";
import { observationOf } from "./observation.ts";
import type { PodObjects, PodObservation } from "./observation.ts";
import { untilReady } from "./ready.ts";
import { judge } from "./verdict.ts";
import { watchOnce } from "./watch.ts";

/** Ends what runs of a pod, and returns once none of it is left. Throws `stop-timeout`. */
export async function stopPod({ kubectl, identity, look, fence, bounds }: Scaling): Promise<PodObservation> {
  const [there, deployment] = await untilUnmodified(bounds, async () => {
    const there = await look();
    return [there, there.deployment && (await scale(kubectl, identity, there.deployment, { replicas: 0 }, fence, bounds))] as const;
  });
  if (deployment === undefined) return observationOf(identity, there);
  const stopped = observationOf(identity, { ...there, deployment, pods: [] });
  try {
    await untilNone(kubectl, identity, bounds);
  } catch (error) {
    throw error instanceof KubeError ? error.withObservation(stopped) : error; // whatever became of its processes: it shall not run
  }
  return stopped;
}

/** Makes a pod run as it was last applied, and its processes begin anew if that is asked under a word that its template has not yet. */
export async function startPod(
  { kubectl, identity, look, fence, bounds }: Scaling,
  { restart, progressDeadlineSeconds }: { restart: string | undefined; progressDeadlineSeconds: number },
): Promise<PodObservation> {
  const [there, deployment] = await untilUnmodified(bounds, async () => {
    const there = await look();
    const { deployment } = there;
    if (deployment === undefined) return [there, undefined] as const;
    const { kind } = judge(deployment, there.pods);
    const before = deployment.spec.template.metadata?.annotations ?? {};
    const anew = restart !== undefined && before[annotation.restart] !== restart;
    if (kind === "running" && !anew) return [there, undefined] as const;
    if (kind === "starting" && !anew) return [there, deployment] as const;
    // What an apply leaves out is taken away: so the word of the last restart is said again.
    const word = restart ?? before[annotation.restart];
    const annotations = { [annotation.start]: String(startOf(deployment) + 1), ...(word && { [annotation.restart]: word }) };
    const change = { replicas: 1, progressDeadlineSeconds, template: { metadata: { annotations } } };
    return [there, await scale(kubectl, identity, deployment, change, fence, bounds)] as const;
  });
  if (deployment === undefined) return observationOf(identity, there);
  return untilReady(kubectl, identity, { ...there, deployment, pods: [] }, bounds);
}

/** What is done to a pod: how to look at what is there, and the fence of who does it. */
export type Scaling = {
  kubectl: Kubectl;
  identity: PodIdentity;
  look: () => Promise<PodObjects>;
  fence: Fence | undefined;
  /** Of the installation, if it has one. */
  ingress: IngressSettings | undefined;
  bounds: Bounds;
};

/** The number of a Deployment's present start, 0 if there is none. */
export function startOf(deployment: Deployment | undefined): number {
  return Number(deployment?.spec.template.metadata?.annotations?.[annotation.start] ?? 0) || 0;
}

// An apply under a name of its own, so that what podq applied as the whole of the pod stays that. The uid keeps it from a successor.
async function scale(
  kubectl: Kubectl,
  { namespace, deployment: name }: PodIdentity,
  there: Deployment,
  spec: object,
  fence: Fence | undefined,
  bounds: Bounds,
): Promise<Deployment> {
  const metadata = { name, namespace, uid: there.metadata.uid, ...fencedMetadata(fence, there) };
  const change = { apiVersion: "apps/v1", kind: "Deployment", metadata, spec };
  const flags = ["--server-side", "--field-manager=podq-scale", "--force-conflicts", "--validate=ignore"];
  return kubectl.json<Deployment>(["apply", ...flags, "-o", "json", "-f", "-"], bounds, JSON.stringify(change));
}

type PodList = { metadata: { resourceVersion: string }; items: Pod[] };

async function untilNone(kubectl: Kubectl, identity: PodIdentity, bounds: Bounds): Promise<void> {
  const path = paths.pods(identity.namespace, labelled(selectorOf(identity)));
  for (let left: string[] = []; ;) {
    if (bounds.signal?.aborted) throw new KubeError("cancelled", `the stop was cancelled while ${identity.deployment} was ending`);
    if (performance.now() >= bounds.until)
      throw new KubeError("stop-timeout", `${left.join(", ") || identity.deployment} did not end in time; the node may be away`);
    try {
      const list = await kubectl.getRaw<PodList>(path, bounds);
      if (list === undefined) return;
      left = list.items.map(({ metadata }) => metadata.name);
      if (left.length === 0) return;
      await untilDeleted(kubectl, `${path}&resourceVersion=${list.metadata.resourceVersion}`, left, bounds);
    } catch (error) {
      // The end of the time and the caller's cancel cut this off as well; the head of the loop says it better.
      if (performance.now() < bounds.until && !bounds.signal?.aborted) throw error;
    }
  }
}

// Watches from what was just read, so that nothing is missed in between.
async function untilDeleted(kubectl: Kubectl, path: string, names: readonly string[], bounds: Bounds): Promise<void> {
  const left = new Set(names);
  const over = new AbortController();
  const signal = bounds.signal ? AbortSignal.any([bounds.signal, over.signal]) : over.signal;
  const event = ({ type, object }: { type: string; object: Pod }): void => {
    if (type === "DELETED") left.delete(object.metadata.name);
    if (left.size === 0) over.abort();
  };
  await watchOnce<Pod>(kubectl, path, { signal, until: bounds.until }, { event });
}
