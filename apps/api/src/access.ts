import { ownerParts, type Owner } from "@podq/jobs";
import type { Scope, TokenDocument, TokenStore } from "@podq/store";
import { ApiError } from "./problem.ts";

/** Who asks: a token's holder; without any token in the database everybody on this machine. */
export type Caller = { token: string | null; scope: Scope; owners: readonly string[] | null; callbackUrl: string | null };

const everybody: Caller = { token: null, scope: "admin", owners: null, callbackUrl: null };
const ranks: Record<Scope, number> = { read: 0, run: 1, admin: 2 };
const localNames = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Finds out who asks. Throws ApiError `unauthorized`, or `access-denied` for a page elsewhere that uses a browser on this machine. */
export async function identify(
  tokens: Pick<TokenStore, "find" | "any">,
  headers: { authorization?: string | undefined; host?: string | undefined },
): Promise<Caller> {
  const text = /^Bearer (\S+)$/i.exec(headers.authorization ?? "")?.[1];
  const token = text === undefined ? null : await tokens.find(text);
  if (token !== null) return callerOf(token);
  if (text !== undefined) throw new ApiError("unauthorized", "there is no such token, or it was revoked; podq token ls shows them");
  if (await tokens.any()) throw new ApiError("unauthorized", "give a token: Authorization: Bearer podq_...; podq token create makes one");
  const name = (headers.host ?? "").replace(/:\d+$/, "");
  if (!localNames.has(name))
    throw new ApiError("access-denied", "without a token podq is there for this machine only, under the name of localhost");
  return everybody;
}

function callerOf({ _id, scope, owners, callbackUrl = null }: TokenDocument): Caller {
  return { token: _id, scope, owners: owners.length === 0 ? null : owners, callbackUrl };
}

/** Throws ApiError `access-denied` unless the caller may do what needs this scope. */
export function demandScope(caller: Caller, scope: Scope): void {
  if (ranks[caller.scope] < ranks[scope])
    throw new ApiError("access-denied", `this takes a token of scope ${scope}; yours has ${caller.scope}`);
}

/** Whether what belongs to this owner is within the caller's reach. */
export function reaches(caller: Caller, owner: Owner): boolean {
  const { kind, id } = ownerParts(owner);
  return caller.owners === null || caller.owners.includes(`${kind}/${id}`);
}

/** Throws ApiError `access-denied` for an owner that the token is not for. */
export function demandOwner(caller: Caller, owner: Owner): void {
  if (reaches(caller, owner)) return;
  const { kind, id } = ownerParts(owner);
  throw new ApiError("access-denied", `this token is not for ${kind} ${id}`);
}
