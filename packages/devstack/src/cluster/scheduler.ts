import type { Container, KubeObject, Pod } from "./object.ts";
import { isMap } from "./object.ts";
import { quantityValue } from "./quantity.ts";

const TAIL = "no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";

/** Why the one node does not take a pod, in the scheduler's words; undefined if it does. `others` are the pods it has. */
export function unschedulable(pod: Pod, node: KubeObject, others: readonly Pod[]): string | undefined {
  const labels = node.metadata.labels ?? {};
  const wanted = Object.entries(pod.spec.nodeSelector ?? {});
  if (wanted.some(([key, value]) => labels[key] !== value)) {
    return `0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. ${TAIL}`;
  }
  if (node.spec?.unschedulable === true) return `0/1 nodes are available: 1 node(s) were unschedulable. ${TAIL}`;
  const room = isMap(node.status?.allocatable) ? node.status.allocatable : {};
  const short = ["cpu", "memory"].filter((name) => {
    const used = others.reduce((sum, one) => sum + requested(one.spec.containers, name), 0);
    return used + requested(pod.spec.containers, name) > quantityValue(String(room[name]));
  });
  if (short.length === 0) return undefined;
  return `0/1 nodes are available: ${short.map((name) => `1 Insufficient ${name}`).join(", ")}. ${TAIL}`;
}

const requested = (containers: readonly Container[], name: string): number =>
  containers.reduce((sum, one) => sum + quantityValue(one.resources?.requests?.[name]), 0);
