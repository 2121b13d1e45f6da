import type { Owner } from "@podq/jobs";

/** A filter for documents whose pod belongs to one of these owners; `field` holds the pod's key. */
export function ofOwners(field: string, owners: readonly string[]): Record<string, unknown>[] {
  // "0" is the character after "/". An empty $or is an error, and no owners have no pods.
  return owners.length === 0 ? [{ [field]: "" }] : owners.map((one) => ({ [field]: { $gte: `${one}/`, $lt: `${one}0` } }));
}

/** An owner as a text: `project/p1`. */
export function ownerText(owner: Owner): string {
  return owner.project === undefined ? `conversation/${owner.conversation}` : `project/${owner.project}`;
}

/** The keys of all pods of an owner begin with this. */
export function ownerPrefix(owner: Owner): string {
  return `${ownerText(owner)}/`;
}
