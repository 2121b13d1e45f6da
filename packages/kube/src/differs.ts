import { createHash } from "node:crypto";
import { deploymentOf } from "./manifest.ts";
import type { PodSpec, Resources } from "./manifest.ts";
import type { PodIdentity } from "./names.ts";
import { isFencedOtherwise, networkPolicyOf } from "./network.ts";
import type { Deployment } from "./objects.ts";
import type { PublishedField } from "./ports.ts";
import { scheduledBy } from "./scheduling.ts";
import { levelOf, type Level } from "./security.ts";
import type { PodObjects } from "./observation.ts";
import { probeWords } from "./probes.ts";
import { sameQuantity } from "./quantity.ts";

/** A field of PodSpec in which a pod can be other than asked. */
export type PodField = TemplateField | PublishedField;

type TemplateField =
  | "image"
  | "resources"
  | "env"
  | "command"
  | "user"
  | "labels"
  | "storage"
  | "level"
  | "runtimeClass"
  | "nodeSelector"
  | "tolerations"
  | "probes"
  | "network";

/** The fields in which a pod is not what is asked for. Quantities are compared by value, maps whatever their order. */
export function differs(
  identity: PodIdentity,
  spec: PodSpec,
  { deployment, policy }: Pick<PodObjects, "deployment" | "policy">,
): TemplateField[] {
  if (deployment === undefined) return [];
  // What is asked for goes through the manifest, so that defaults and escapes are the same on both sides.
  const asked = fieldsOf(deploymentOf(identity, spec, { start: "", progressDeadlineSeconds: 0 }) as Deployment);
  const found = fieldsOf(deployment);
  const inDeployment = (Object.keys(same) as (keyof Fields)[]).filter((field) => !same[field](asked, found));
  const isFenced = !isFencedOtherwise(networkPolicyOf(identity, spec.network, { spec: {} }), policy);
  return [...inDeployment, ...(isFenced ? [] : (["network"] as const))];
}

/**
 * A mark of each field as a Deployment has it, by which a later look tells that somebody has changed it. So short that nobody can guess
 * a secret in `env` by it: one change in 65,536 goes unseen.
 */
export function marksOf(deployment: Deployment): Record<string, string> {
  return Object.fromEntries(Object.entries(fieldsOf(deployment)).map(([field, value]) => [field, markOf(value)]));
}

function markOf(value: unknown): string {
  const text = JSON.stringify(value, sortedByKey) ?? "";
  return createHash("sha256").update(text).digest("hex").slice(0, 4);
}

function sortedByKey(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** The four figures of a Deployment's container; a figure that is not set is "0". */
export function resourcesOf(deployment: Deployment): Resources {
  const { limits = {}, requests = {} } = deployment.spec.template.spec.containers[0]?.resources ?? {};
  const { memory = "0", cpu = "0" } = limits;
  return { memory, cpu, memoryRequests: requests["memory"] ?? "0", cpuRequests: requests["cpu"] ?? "0" };
}

type Fields = {
  image: string;
  resources: Resources;
  env: Record<string, string>;
  command: string[];
  user: number | undefined;
  labels: Record<string, string>;
  storage: string | undefined;
  level: Level;
  runtimeClass: string;
  nodeSelector: Record<string, string>;
  tolerations: string[];
  probes: string[];
};

function fieldsOf(deployment: Deployment): Fields {
  const { metadata, spec } = deployment.spec.template;
  const container = spec.containers[0];
  return {
    image: container?.image ?? "",
    resources: resourcesOf(deployment),
    env: Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value ?? ""])),
    command: container?.command ?? [],
    user: spec.securityContext?.runAsUser,
    labels: metadata?.labels ?? {},
    storage: spec.volumes?.find(({ name }) => name === "workspace")?.emptyDir?.sizeLimit,
    level: levelOf(deployment),
    ...scheduledBy(deployment),
    probes: probeWords(container ?? {}),
  };
}

const same: Record<keyof Fields, (a: Fields, b: Fields) => boolean> = {
  image: (a, b) => a.image === b.image,
  resources: (a, b) => (Object.keys(a.resources) as (keyof Resources)[]).every((key) => sameQuantity(a.resources[key], b.resources[key])),
  env: (a, b) => sameMap(a.env, b.env),
  command: (a, b) => JSON.stringify(a.command) === JSON.stringify(b.command),
  user: (a, b) => a.user === b.user,
  labels: (a, b) => sameMap(a.labels, b.labels),
  storage: (a, b) => sameQuantity(a.storage, b.storage),
  level: (a, b) => a.level === b.level,
  runtimeClass: (a, b) => a.runtimeClass === b.runtimeClass,
  nodeSelector: (a, b) => sameMap(a.nodeSelector, b.nodeSelector),
  tolerations: (a, b) => JSON.stringify(a.tolerations) === JSON.stringify(b.tolerations),
  probes: (a, b) => JSON.stringify(a.probes) === JSON.stringify(b.probes),
};

function sameMap(a: Record<string, string>, b: Record<string, string>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
