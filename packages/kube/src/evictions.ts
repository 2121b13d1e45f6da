import type { Bounds, Kubectl } from "./kubectl.ts";
import type { KubeEvent, Pod } from "./objects.ts";
import type { Ended, Sight } from "./sight.ts";

/**
 * A sight with the evictions that only events tell of: newer kubelets write the end of an evicted pod's container over the reason in its
 * status. Asked for only where a pod has ended without a reason.
 */
export async function withEvictions(kubectl: Kubectl, sight: Sight, pods: readonly Pod[], bounds: Bounds): Promise<Sight> {
  const unexplained = new Set(
    pods.filter(({ metadata, status }) => sight.ended.has(metadata.uid) && !status?.reason).map(({ metadata }) => metadata.uid),
  );
  if (unexplained.size === 0) return sight;
  const query = ["get", "events", `--namespace=${sight.observation.namespace}`, "--field-selector=type=Warning", "-o", "json"];
  const { items } = await kubectl.json<{ items: KubeEvent[] }>(query, bounds);
  const evicted = items.flatMap(({ reason, message = "", involvedObject: { uid = "" } = {} }): [string, Ended][] =>
    reason === "Evicted" && unexplained.has(uid) ? [[uid, { code: "evicted", message: `Evicted: ${message}` }]] : [],
  );
  return { ...sight, ended: new Map([...sight.ended, ...evicted]) };
}
