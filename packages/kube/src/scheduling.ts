import type { Deployment } from "./objects.ts";

/** A taint that does not keep a pod away from a node, in Kubernetes' words. */
export type Toleration = { key?: string; operator?: string; value?: string; effect?: string; tolerationSeconds?: number };

/** Where a pod may run, and by which runtime. */
export type Scheduling = { runtimeClass?: string; nodeSelector?: Record<string, string>; tolerations?: readonly Toleration[] };

/** The fields of a pod's spec that say so; what is not asked for is left out. */
export function schedulingOf({ runtimeClass, nodeSelector, tolerations }: Scheduling): object {
  return {
    ...(runtimeClass === undefined ? {} : { runtimeClassName: runtimeClass }),
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
    ...(tolerations === undefined ? {} : { tolerations }),
  };
}

/** What a Deployment says of it: complete, in an order of its own, to be compared. */
export function scheduledBy({ spec }: Deployment): { runtimeClass: string; nodeSelector: Record<string, string>; tolerations: string[] } {
  const { runtimeClassName = "", nodeSelector = {}, tolerations = [] } = spec.template.spec;
  return { runtimeClass: runtimeClassName, nodeSelector, tolerations: tolerations.map(written).toSorted() };
}

// Equal is what the operator is where none is given.
function written({ key = "", operator = "Equal", value = "", effect = "", tolerationSeconds }: Toleration): string {
  return JSON.stringify([key, operator, value, effect, tolerationSeconds ?? null]);
}
