import { z } from "zod";

const letters = "[A-Za-z0-9._:@-]{1,128}";
const idRule = "1 to 128 of A-Z a-z 0-9 . _ : @ -";
const taken = ["events", "exec", "expose", "extend", "files", "restart", "start", "stop", "unexpose", "wait-for-port"]; // where a pod's name stands in a path over HTTP, these are its own

/** Id of a project or a conversation. */
export const ownerIdSchema = z.string().regex(new RegExp(`^${letters}$`), { error: `must be ${idRule}` });

/** An owner as a text: `project/p1`. */
export const ownerTextSchema = z
  .string()
  .regex(new RegExp(`^(project|conversation)/${letters}$`), { error: "must be project/ID or conversation/ID" });

/** Name of one of an owner's pods; in the same letters as an owner's id. */
export const podNameSchema = z.string().regex(new RegExp(`^(?!(${taken.join("|")})$)${letters}$`), {
  error: `must be ${idRule}, and none of ${taken.join(", ")}`,
});

/** Whose pod: a project or a conversation. If both are given the project wins, and the conversation is dropped. */
export const ownerSchema = z
  .strictObject({ project: ownerIdSchema.optional(), conversation: ownerIdSchema.optional() })
  .meta({ anyOf: [{ required: ["project"] }, { required: ["conversation"] }] }) // says in the JSON Schema what refine checks
  .refine((owner) => owner.project !== undefined || owner.conversation !== undefined, {
    error: "names neither a project nor a conversation",
    params: { code: "owner-missing" },
  })
  .transform((owner): Owner => (owner.project === undefined ? { conversation: owner.conversation! } : { project: owner.project }));

/** A project or a conversation, exactly one of them. */
export type Owner = { project: string; conversation?: never } | { conversation: string; project?: never };

/** The pod that an owner has when none is named. */
export const defaultPodName = "default";

/** The owner's two parts: what it is, and its id. */
export function ownerParts(owner: Owner): { kind: "project" | "conversation"; id: string } {
  return owner.project === undefined ? { kind: "conversation", id: owner.conversation } : { kind: "project", id: owner.project };
}

/** The key of a pod: `project/p1/default`. Collision-free, since no part may contain a slash. */
export function podKey(owner: Owner, name: string = defaultPodName): string {
  const { kind, id } = ownerParts(owner);
  return `${kind}/${id}/${name}`;
}
