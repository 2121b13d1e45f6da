import { annotation } from "./names.ts";
import type { PodField } from "./differs.ts";
import type { Deployment } from "./objects.ts";
import type { Verdict } from "./verdict.ts";

/** What a create does to a pod that is there and is other than asked; default "ignore", which leaves a sound one as it is. */
export type IfChanged = "ignore" | "update" | "reject";

/** What is done: `keep` it as it is, `start` it as it is, `apply` what is asked, or `refuse`. */
type Step = "keep" | "start" | "apply" | "refuse";

/**
 * The next step of a create. A pod that failed, or has not come to run yet, has nothing to be kept for: under "ignore" too it is made
 * what is asked now, which is how a create repairs.
 */
export function stepFor({ kind }: Pick<Verdict, "kind">, different: readonly PodField[], ifChanged: IfChanged): Step {
  if (different.length > 0 && ifChanged === "reject") return "refuse";
  const asItIs = different.length === 0 || ifChanged === "ignore";
  if (kind === "running" && asItIs) return "keep";
  return kind === "stopped" && different.length > 0 && asItIs ? "start" : "apply";
}

/**
 * Says on a Deployment which fields a create changes, under that create's word: whoever takes it over finds the change made, and nothing
 * else left to tell that it was one.
 */
export function updatedAnnotation(word: string | undefined, fields: readonly PodField[]): Record<string, string> {
  return word === undefined || fields.length === 0 ? {} : { [annotation.updated]: `${word} ${fields.join(",")}` };
}

/** The fields that a create with this word has changed of a Deployment so far. */
export function updatedUnder(word: string | undefined, deployment: Deployment | undefined): PodField[] {
  const [by, fields = ""] = deployment?.metadata.annotations?.[annotation.updated]?.split(" ") ?? [];
  return word !== undefined && by === word && fields !== "" ? (fields.split(",") as PodField[]) : [];
}
