import { KubeError } from "@podq/kube";
import { chooseHost, eligibleHosts } from "./choose.ts";
import type { WorkHost } from "./open.ts";

/** Chooses the host of a new pod, among those with these labels and not those that were found full. Throws KubeError `unschedulable`. */
export type Placer = (asked: Readonly<Record<string, string>>, full: ReadonlySet<string>) => Promise<WorkHost>;

// So long a count of all pods is good enough to share them out by: whether there is room is asked again by the write that takes it.
const countForMs = 2_000;

/** Places pods by the weights, labels and room of these hosts. Pods are counted where there is a choice; one where no job may begin is the last. */
export function createPlacer(
  hosts: readonly WorkHost[],
  countPods: () => Promise<Map<string, number>>,
  isFree: (host: string) => boolean = () => true,
): Placer {
  let counted: { at: number; pods: Promise<Map<string, number>> } | undefined;
  const count = async (): Promise<Map<string, number>> => {
    if (counted === undefined || performance.now() - counted.at > countForMs) {
      const pods = countPods();
      counted = { at: performance.now(), pods };
      pods.catch(() => (counted = undefined));
    }
    return counted.pods;
  };
  return async (asked, full) => {
    const candidates = hosts.map((host) => ({
      ...host.settings,
      host,
      up: isFree(host.name) && host.use().ssh.breaker.state === "closed",
    }));
    const eligible = eligibleHosts(candidates, asked);
    if (typeof eligible === "string") throw new KubeError("unschedulable", `no host takes a new pod: ${eligible}`);
    const roomy = eligible.filter(({ name }) => !full.has(name));
    const [only] = roomy;
    const pods = roomy.length > 1 ? await count() : new Map<string, number>();
    const chosen = roomy.length > 1 ? chooseHost(roomy, pods) : only;
    if (chosen == null)
      throw new KubeError("unschedulable", `no host takes a new pod: full: ${eligible.map(({ name }) => name).join(", ")}`);
    pods.set(chosen.name, (pods.get(chosen.name) ?? 0) + 1);
    return chosen.host;
  };
}
