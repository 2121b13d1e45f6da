import { parseRequest, type Owner } from "@podq/jobs";
import { asPodqError } from "../errors.ts";

/** Labels as a query has them. */
export function pairsOf(labels: Record<string, string>): string[] {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`);
}

/** Whose pod, checked. Throws PodqError. */
export function checked(owner: object, name: string): { owner: Owner } {
  try {
    return parseRequest("delete", { owner, name });
  } catch (error) {
    throw asPodqError(error);
  }
}
