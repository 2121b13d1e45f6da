import { isMap } from "./object.ts";
import type { KubeObject } from "./object.ts";

/** The Scale that stands for an object with replicas. */
export function scaleOf({ metadata, spec, status }: KubeObject): object {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  const labels = isMap(spec?.selector) && isMap(spec.selector.matchLabels) ? Object.entries(spec.selector.matchLabels) : [];
  const selector = labels.map(([key, value]) => `${key}=${String(value)}`).join(",");
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: spec?.replicas ?? 0 },
    status: { replicas: status?.replicas ?? 0, selector },
  };
}

/** The patch of an object that a write of its Scale means. */
export function withScale(scale: unknown): object {
  const replicas = isMap(scale) && isMap(scale.spec) ? scale.spec.replicas : undefined;
  return replicas === undefined ? {} : { spec: { replicas } };
}
