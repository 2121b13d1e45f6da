import { readFileSync } from "node:fs";
import type { Store } from "@podq/store";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { callerOf, demandOwnPage, identify, sessionCookie } from "../access.ts";
import { ApiError } from "../problem.ts";
import type { App } from "../server.ts";
import { pagePolicy } from "./headers.ts";

const page = readFileSync(new URL("../../assets/pages/login.html", import.meta.url), "utf8");
const home = "/ui";

// A path of podq's own pages, without anything that means something in HTML.
const next = z
  .string()
  .regex(/^\/(ui|admin|docs)(\/[\w.:@%/-]*)?(\?[\w.:@%/=+&-]*)?$/)
  .catch(home)
  .default(home);
const query = z.object({ next });
const form = z.object({ token: z.string().max(1_024), next });

const cookie = ({ protocol }: FastifyRequest) => ({ path: "/", httpOnly: true, sameSite: "strict", secure: protocol === "https" }) as const;

async function show(reply: FastifyReply, status: number, to: string, said: string): Promise<FastifyReply> {
  const values: Record<string, string> = { next: to.replaceAll("&", "&amp;"), said };
  return reply
    .code(status)
    .type("text/html; charset=utf-8")
    .header("content-security-policy", pagePolicy)
    .send(page.replaceAll(/\{(next|said)\}/g, (_all, name: string) => values[name] ?? ""));
}

/** `/login`, where a browser gives a token for a session, and `/logout`, which ends it. The session is told from the token, and ends with it. */
export async function addLogin(app: App, { tokens, sessions }: Pick<Store, "tokens" | "sessions">, sessionMs: number): Promise<void> {
  await app.register(async (scope: App) => {
    scope.removeAllContentTypeParsers(); // strangers send a form, and a small one
    scope.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string", bodyLimit: 8_192 }, (_request, body, done) =>
      done(null, Object.fromEntries(new URLSearchParams(String(body)))),
    );

    scope.get("/login", { schema: { hide: true, querystring: query } }, async (request, reply) => {
      const to = request.query.next;
      if (request.headers["sec-fetch-site"] === "cross-site") return again(reply, to);
      const known = await identify({ tokens, sessions }, request).catch(() => null);
      return known === null ? show(reply, 200, to, "") : reply.redirect(to, 303);
    });

    scope.post("/login", { schema: { hide: true, body: form } }, async (request, reply) => {
      demandOwnPage(request);
      const { token: text, next: to } = request.body;
      const token = await tokens.find(text.trim());
      if (token === null) return show(reply, 401, to, "There is no such token, or it was revoked.");
      request.caller = callerOf(token);
      const session = await sessions.begin(token._id, sessionMs);
      reply.setCookie(sessionCookie(request), session, { ...cookie(request), maxAge: Math.floor(sessionMs / 1_000) });
      return reply.redirect(to, 303);
    });

    scope.post("/logout", { schema: { hide: true } }, async (request, reply) => {
      demandOwnPage(request);
      const session = request.cookies[sessionCookie(request)];
      if (session !== undefined) {
        request.caller = await identify({ tokens, sessions }, request).catch(() => undefined as never); // for the audit
        await sessions.end(session);
      }
      return reply.clearCookie(sessionCookie(request), cookie(request)).redirect("/login", 303);
    });
  });
}

// Whoever comes by a link from elsewhere brings no cookie, since it is a strict one. The next request, from a page of ours, does.
async function again(reply: FastifyReply, to: string): Promise<FastifyReply> {
  const url = `/login?next=${encodeURIComponent(to)}`;
  return reply
    .type("text/html; charset=utf-8")
    .header("content-security-policy", pagePolicy)
    .send(`<!doctype html><title>podq</title><meta http-equiv="refresh" content="0;url=${url}"><a href="${url}">Go on to podq</a>`);
}

/** Where a browser that went to a page without a session is sent; null for whatever else asks. */
export function loginFor(error: Error, { method, headers, url }: Pick<FastifyRequest, "method" | "headers" | "url">): string | null {
  const isPage = method === "GET" && (headers.accept ?? "").includes("text/html");
  if (!isPage || !(error instanceof ApiError) || error.code !== "unauthorized" || headers.authorization !== undefined) return null;
  return `/login?next=${encodeURIComponent(url)}`;
}
