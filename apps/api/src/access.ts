import { ownerParts, type Owner } from "@podq/jobs";
import type { Scope, Store, TokenDocument } from "@podq/store";
import type { FastifyRequest } from "fastify";
import { ApiError } from "./problem.ts";

/** Who asks: a token's holder; as long as there never was a token, everybody on this machine. */
export type Caller = { token: string | null; scope: Scope; owners: readonly string[] | null; callbackUrl: string | null };

/** What of a request tells who asks. */
type Asking = Pick<FastifyRequest, "headers" | "method" | "cookies" | "protocol"> & { socket: { remoteAddress?: string | undefined } };

/** The cookie of a browser's session. The prefix is one that a browser takes by https only, and from this very name only. */
export function sessionCookie({ protocol }: Pick<FastifyRequest, "protocol">): string {
  return protocol === "https" ? "__Host-podq_session" : "podq_session";
}

const everybody: Caller = { token: null, scope: "admin", owners: null, callbackUrl: null };
const ranks: Record<Scope, number> = { read: 0, run: 1, admin: 2 };
const localNames = new Set(["localhost", "127.0.0.1", "[::1]"]);
const localAddress = /^(::ffff:)?127\.|^::1$/;
const forwarding = /^(x-forwarded-.*|forwarded|via|x-real-ip)$/;
const reading = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Finds out who asks: by the token in the header, by the session in the cookie, or as everybody on this machine as long as
 * there never was a token. Throws ApiError `unauthorized`, or `access-denied` for a page elsewhere that uses somebody's browser.
 */
export async function identify({ tokens, sessions }: Pick<Store, "tokens" | "sessions">, asking: Asking): Promise<Caller> {
  const text = /^Bearer (\S+)$/i.exec(asking.headers.authorization ?? "")?.[1];
  if (text !== undefined) {
    const token = await tokens.find(text);
    if (token !== null) return callerOf(token);
    throw new ApiError("unauthorized", "there is no such token, or it was revoked; podq token ls shows them");
  }
  const cookie = asking.cookies[sessionCookie(asking)];
  const id = cookie === undefined ? null : await sessions.find(cookie);
  const token = id === null ? null : await tokens.get(id);
  if (token !== null) {
    demandOwnPage(asking);
    return callerOf(token);
  }
  if (await tokens.ever()) throw new ApiError("unauthorized", "give a token: Authorization: Bearer podq_...; podq token create makes one");
  if (!isOnThisMachine(asking))
    throw new ApiError("access-denied", "without a token podq is there for this machine only, under the name of localhost");
  if (isOwnPage(asking) !== null) demandOwnPage(asking);
  return everybody;
}

/**
 * Throws ApiError `access-denied` for a write that comes with a browser's cookie but not from a page of this API. What a browser
 * says of the page that asks cannot be changed by that page.
 */
export function demandOwnPage(asking: Pick<Asking, "headers" | "method">): void {
  if (!reading.has(asking.method) && isOwnPage(asking) !== true)
    throw new ApiError("access-denied", "a browser may change something only from a page of this API");
}

// Null: no browser asks, or one that says nothing.
function isOwnPage({ headers }: Pick<Asking, "headers">): boolean | null {
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site === "same-origin";
  const { origin, host } = headers;
  return origin === undefined ? null : URL.canParse(origin) && new URL(origin).host === host;
}

// The Host header alone is anybody's to write, and a proxy on this machine speaks for others.
function isOnThisMachine({ headers, socket }: Asking): boolean {
  const name = (headers.host ?? "").replace(/:\d+$/, "");
  const forwarded = Object.keys(headers).some((header) => forwarding.test(header));
  return localNames.has(name) && !forwarded && localAddress.test(socket.remoteAddress ?? "");
}

/** What the holder of a token may do. */
export function callerOf({ _id, scope, owners, callbackUrl = null }: TokenDocument): Caller {
  return { token: _id, scope, owners: owners.length === 0 ? null : owners, callbackUrl };
}

/** Throws ApiError `access-denied` unless the caller may do what needs this scope. */
export function demandScope(caller: Caller, scope: Scope): void {
  if (ranks[caller.scope] < ranks[scope])
    throw new ApiError("access-denied", `this takes a token of scope ${scope}; yours has ${caller.scope}`);
}

/** Throws ApiError `access-denied` unless the caller administers all of podq: scope admin, and not bound to owners. */
export function demandWhole(caller: Caller): void {
  demandScope(caller, "admin");
  if (caller.owners !== null) throw new ApiError("access-denied", "this takes a token that is not bound to owners");
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
