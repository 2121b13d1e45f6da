import { z } from "zod";

const ID = /^[A-Za-z0-9._:@-]{1,128}$/;
const NAME = /^(?!(events|exec)$)[A-Za-z0-9._:@-]{1,128}$/; // in a path over HTTP these are taken for what a pod has
const idRule = "1 to 128 of A-Z a-z 0-9 . _ : @ -";

const ownerId = z.string().regex(ID, { error: `must be ${idRule}` });

/** Name of one of an owner's pods; in the same letters as an owner's id. */
export const podNameSchema = z.string().regex(NAME, { error: `must be ${idRule}, and neither "events" nor "exec"` });

/** Whose pod: a project or a conversation. If both are given the project wins, and the conversation is dropped. */
export const ownerSchema = z
  .strictObject({ project: ownerId.optional(), conversation: ownerId.optional() })
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
