import type { CreateParams } from "@podq/jobs";
import type { PodSpec } from "@podq/kube";
import type { JobDocument } from "@podq/store";
import type { Place } from "./place.ts";

/** What a create asks for, as the cluster is to be told. */
export function specOf({ params, labels }: Pick<JobDocument, "params" | "labels">, { journal }: Place): PodSpec {
  const { image, resources, env, command, user, storage, probes, network, ports, access } = params as CreateParams;
  const { level, runtimeClass, nodeSelector, tolerations } = params as CreateParams;
  return {
    image,
    resources,
    env: env ?? {},
    labels,
    user,
    storage,
    journal,
    ...(command === undefined ? {} : { command }),
    ...(level === undefined ? {} : { level }),
    ...(runtimeClass === undefined ? {} : { runtimeClass }),
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
    ...(tolerations === undefined ? {} : { tolerations: tolerations as NonNullable<PodSpec["tolerations"]> }),
    ...(ports === undefined ? {} : { ports: ports.map(({ protocol = "TCP", ...port }) => ({ ...port, protocol })) }),
    ...(access === undefined ? {} : { access }),
    ...(probes !== undefined && { probes }),
    ...(network !== undefined && { network }),
  };
}
