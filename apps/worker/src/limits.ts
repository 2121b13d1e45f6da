import { parseQuantity } from "@podq/kube";
import type { PodDocument, Reserved } from "@podq/store";

/** What one owner's pods may come to; undefined: as many, as much as they like. */
export type OwnerLimits = Readonly<{ pods: number | undefined; cpu: string | undefined; memory: string | undefined }>;

/** What of its owner's limits a pod takes up; null: nothing. */
export function reservedOf({ status, reserved, resources }: Pick<PodDocument, "status" | "reserved" | "resources">): Reserved | null {
  if (status === "deleted") return null;
  return reserved === undefined ? resources : reserved;
}

/** Whether an owner's pods are limited at all. */
export function isLimited({ pods, cpu, memory }: OwnerLimits): boolean {
  return pods !== undefined || cpu !== undefined || memory !== undefined;
}

/** Why a pod that asks for so much cannot be beside the owner's others, in words; null: it can. */
export function overLimit(owner: string, limits: OwnerLimits, others: readonly Reserved[], asked: Reserved): string | null {
  if (limits.pods !== undefined && others.length >= limits.pods)
    return `${owner} may have ${counted(limits.pods)} and has ${others.length} beside this one; delete one first`;
  for (const figure of ["cpu", "memory"] as const) {
    const limit = limits[figure];
    if (limit === undefined) continue;
    const used = others.reduce((sum, other) => sum + nanos(other[figure]), 0n);
    if (used + nanos(asked[figure]) <= nanos(limit)) continue;
    const taken = `${counted(others.length)} beside this one came to ${written(figure, used)}`;
    return `the ${figure} limits of ${owner}'s pods may come to ${limit}; ${taken}, and it asks for ${asked[figure]}`;
  }
  return null;
}

/** The larger of two in each figure: what a pod takes up while it may be the one or the other. */
export function larger(a: Reserved, b: Reserved): Reserved {
  const of = (figure: keyof Reserved): string => (nanos(a[figure]) < nanos(b[figure]) ? b[figure] : a[figure]);
  return { cpu: of("cpu"), memory: of("memory") };
}

const counted = (pods: number): string => `${pods} pod${pods === 1 ? "" : "s"}`;

function nanos(quantity: string): bigint {
  return parseQuantity(quantity) ?? 0n;
}

// A sum in the unit that people write: thousandths of a core, and the largest power of 1024 that leaves nothing over.
function written(figure: keyof Reserved, sum: bigint): string {
  if (figure === "cpu") return `${sum / 1_000_000n}m`;
  let [amount, unit] = [sum / 1_000_000_000n, 0];
  for (; amount >= 1024n && amount % 1024n === 0n && unit < 4; unit++) amount /= 1024n;
  return `${amount}${["", "Ki", "Mi", "Gi", "Ti"][unit]}`;
}
