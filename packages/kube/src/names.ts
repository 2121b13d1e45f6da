import { createHash } from "node:crypto";

/** Which pod: an owner's (`kind`, `id`) pod called `name`, in its n-th life; `installation` tells apart several podqs on one cluster. */
export type PodKey = { installation: string; kind: "project" | "conversation"; id: string; name: string; generation: number };

/** A pod and the names of its objects. Plain strings and a number, to be stored as they are and never computed again. */
export type PodIdentity = PodKey & { hash: string; namespace: string; deployment: string; service: string };

const MAX_NAME = 63;
const MAX_INSTALLATION = 24;
const HASH = 16;

/** What a valid installation name looks like: a DNS label of at most 24 characters. */
export const installationPattern = /^[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?$/;

/**
 * Names for a new pod: `<installation>-<slug>-<hash>-<generation>` for the namespace. The slug is for people and may be cut or
 * missing; the hash alone makes it unique, and the generation keeps whoever is late away from the successor.
 * Throws RangeError on an installation or a generation that cannot stand in a name.
 */
export function podNames(key: PodKey): PodIdentity {
  const { installation, kind, id, name, generation } = key;
  if (!installationPattern.test(installation))
    throw new RangeError(`installation must be a DNS label of at most ${MAX_INSTALLATION} characters: ${JSON.stringify(installation)}`);
  if (!Number.isSafeInteger(generation) || generation < 1) throw new RangeError(`generation must be a positive integer: ${generation}`);
  const hash = podHash(key);
  const room = MAX_NAME - installation.length - HASH - String(generation).length - 3;
  const slug = slugOf(name === "default" ? id : `${id}-${name}`, room);
  const namespace = [installation, ...(slug === "" ? [] : [slug]), hash, generation].join("-");
  const workspace = `workspace-${generation}`;
  return { installation, kind, id, name, generation, hash, namespace, deployment: workspace, service: workspace };
}

/** The pod's mark on everything it has, the same in all generations: 80 bits, as 16 characters of `0-9a-v`. */
export function podHash({ installation, kind, id, name }: Omit<PodKey, "generation">): string {
  // JSON keeps the parts apart whatever they contain.
  const digest = createHash("sha256")
    .update(JSON.stringify([installation, kind, id, name]))
    .digest();
  return BigInt(`0x${digest.subarray(0, 10).toString("hex")}`)
    .toString(32)
    .padStart(HASH, "0");
}

function slugOf(text: string, room: number): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, Math.max(0, room))
    .replaceAll(/^-+|-+$/g, "");
}

/** The label keys that podq gives meaning to. */
export const label = {
  managedBy: "app.kubernetes.io/managed-by",
  installation: "podq.dev/installation",
  pod: "podq.dev/pod",
  generation: "podq.dev/generation",
} as const;

/**
 * The annotation keys that podq gives meaning to: the true owner; of a template the number of its start and who asked for the last
 * restart; of a Deployment the fence of its last write, and which fields which create has changed; of a Service its fence too, which
 * ports were exposed since it was made, and the template of its URLs if it has an Ingress.
 */
export const annotation = {
  kind: "podq.dev/kind",
  id: "podq.dev/id",
  name: "podq.dev/name",
  start: "podq.dev/start",
  restart: "podq.dev/restart",
  fence: "podq.dev/fence",
  updated: "podq.dev/updated",
  exposed: "podq.dev/exposed",
  url: "podq.dev/url",
} as const;

/** Labels of every object of a pod. */
export function labelsOf({ installation, hash, generation }: PodIdentity): Record<string, string> {
  return { [label.managedBy]: "podq", [label.installation]: installation, [label.pod]: hash, [label.generation]: String(generation) };
}

/** Annotations of every object of a pod: the owner as it was given, where a hash could lie. */
export function annotationsOf({ kind, id, name }: PodIdentity): Record<string, string> {
  return { [annotation.kind]: kind, [annotation.id]: id, [annotation.name]: name };
}

/** A label selector for one pod's objects, in any generation. */
export function selectorOf({ installation, hash }: Pick<PodIdentity, "installation" | "hash">): string {
  return `${label.pod}=${hash},${label.installation}=${installation}`;
}

/** Whether an object's labels and its annotated owner both say that it is this pod's; one alone is not enough. */
export function isOurs(
  identity: PodIdentity,
  metadata: { labels?: Record<string, string>; annotations?: Record<string, string> },
): boolean {
  return agrees(labelsOf(identity), metadata.labels) && agrees(annotationsOf(identity), metadata.annotations);
}

function agrees(wanted: Record<string, string>, there: Record<string, string> = {}): boolean {
  return Object.entries(wanted).every(([key, value]) => there[key] === value);
}
