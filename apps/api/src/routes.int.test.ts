// Every route that the server has, from its own list: one that is added is walked with the others.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { podNameSchema } from "@podq/jobs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openScene, type Scene } from "./testing.ts";

type Route = { method: string; url: string };

/** All that a stranger may reach, and that is open to him for good. */
const open = new Set(["/healthz", "/login", "/logout", "/ui/style.css"]);
const secret = "of-somebody-else-0815";
const hidden = Buffer.from(secret).toString("base64");

// Bodies that a route takes, so that it is access and not the body's form that it is refused for.
const bodies: Record<string, unknown> = {
  "POST /v1/pods": { owner: { project: "theirs" } },
  "POST /v1/pods/:owner/:id/exec": { command: "x" },
  "POST /v1/pods/:owner/:id/:name/exec": { command: "x" },
  "POST /v1/pods/:owner/:id/expose": { port: 1 },
  "POST /v1/pods/:owner/:id/:name/expose": { port: 1 },
  "POST /v1/pods/:owner/:id/unexpose": { name: "a" },
  "POST /v1/pods/:owner/:id/:name/unexpose": { name: "a" },
  "POST /v1/pods/:owner/:id/wait-for-port": { port: 1 },
  "POST /v1/pods/:owner/:id/:name/wait-for-port": { port: 1 },
  "POST /v1/jobs/:id/signal": { signal: "SIGINT" },
};
const queries: Record<string, string> = { "GET /v1/pods": "?owner=project/theirs", "GET /v1/jobs": "?owner=project/theirs" };

let scene: Scene;
let job = "";
const routes: Route[] = [];
const tokens: Record<"whole" | "mine", string> = { whole: "", mine: "" };

type Starting = { fastify: { addHook: (name: "onRoute", hook: (route: { method: string | string[]; url: string }) => void) => void } };

function listen(message: unknown): void {
  const { fastify } = message as Starting;
  fastify.addHook("onRoute", ({ method, url }) => routes.push(...[method].flat().map((one) => ({ method: one, url }))));
}

beforeAll(async () => {
  subscribe("fastify.initialization", listen);
  scene = await openScene({ PODQ_API_RATE: "100000" });
  unsubscribe("fastify.initialization", listen);
  tokens.whole = await scene.token("admin");
  tokens.mine = await scene.token("admin", ["project/mine"]);
  const body = { command: secret, labels: { note: secret } };
  job = String((await scene.ask("POST", "/v1/pods/project/theirs/exec", { token: tokens.whole, body })).body.id);
  await scene.finish(job, 0, secret);
});
afterAll(async () => scene[Symbol.asyncDispose]());

/** A route's path with somebody else's things in it. */
function pathOf({ url }: Route): string {
  const values: Record<string, string> = { owner: "project", id: /^\/v1\/(pods|owners)\//.test(url) ? "theirs" : job, name: "default" };
  return url.replaceAll(/:(\w+)/g, (_all, name: string) => values[name] ?? "x").replace("*", "x");
}

async function answer(route: Route, headers: Record<string, string>): Promise<{ status: number; text: string }> {
  const key = `${route.method} ${route.url}`;
  const writes = !["GET", "HEAD"].includes(route.method);
  const bytes = route.url.endsWith("/stdin") || route.url.endsWith("/files");
  const type = bytes ? "application/octet-stream" : "application/json";
  const response = await fetch(`${scene.url}${pathOf(route)}${queries[key] ?? ""}`, {
    method: route.method,
    redirect: "manual",
    headers: { ...(writes && { "content-type": type }), ...headers },
    ...(writes && { body: bytes ? "x" : JSON.stringify(bodies[key] ?? {}) }),
    signal: AbortSignal.timeout(20_000),
  });
  return { status: response.status, text: await response.text() };
}

/** Whether a route may answer so to somebody who asks for what is not his. */
function mayAnswer({ method, url }: Route, status: number): boolean {
  if (url.startsWith("/admin/")) return status === 403;
  const theirs = url.startsWith("/v1/") && url.includes(":");
  if (theirs || `${method} ${url}` in { ...bodies, ...queries }) return status === 403 || status === 404;
  return status < 400 || status === 403 || (status === 404 && url.includes("*")) || open.has(url);
}

it("no pod has a name that is a path of every pod", () => {
  const own = routes.flatMap(({ url }) => /^\/v1\/pods\/:owner\/:id\/([\w-]+)$/.exec(url)?.[1] ?? []);
  expect(own).toEqual(expect.arrayContaining(["events", "exec", "stop"]));
  expect(own.filter((name) => podNameSchema.safeParse(name).success)).toEqual([]);
});

describe("every route", () => {
  it("is in the list", () => {
    expect(routes.length).toBeGreaterThan(60);
    for (const url of ["/v1/pods", "/v1/jobs/:id/output", "/admin/queues/api/queues", "/ui", "/docs"])
      expect(routes).toContainEqual({ method: "GET", url });
  });

  it.each<[string, Record<string, string>]>([
    ["nothing", {}],
    ["a token that is none", { authorization: `Bearer ${"podq_000000000000_".padEnd(61, "A")}` }],
    ["a cookie that is none", { cookie: `podq_session=${"A".repeat(43)}` }],
  ])("but the few that are open is closed to a stranger with %s", async (_what, headers) => {
    const wrong = [];
    for (const route of routes) {
      const { status } = await answer(route, headers);
      if (open.has(route.url) ? status >= 500 || status === 404 : status !== 401) wrong.push({ ...route, status });
    }
    expect(wrong).toEqual([]);
  });

  it("tells and gives a token nothing of what is not its owners', and the dashboard to none that has owners", async () => {
    const before = JSON.stringify([
      await scene.store.jobs.get(job),
      await scene.store.jobs.list({}, 100),
      await scene.store.pods.list({}, 100),
    ]);
    const wrong = [];
    for (const route of routes) {
      const { status, text } = await answer(route, { authorization: `Bearer ${tokens.mine}` });
      if ([secret, hidden].some((one) => text.includes(one)) || !mayAnswer(route, status)) wrong.push({ ...route, status, text });
    }
    expect(wrong).toEqual([]);
    const after = JSON.stringify([
      await scene.store.jobs.get(job),
      await scene.store.jobs.list({}, 100),
      await scene.store.pods.list({}, 100),
    ]);
    expect(after).toBe(before);
  });

  it("has what it keeps from that token for one that has no owners", async () => {
    for (const url of [`/v1/jobs/${job}`, `/v1/jobs/${job}/output`, "/v1/jobs?owner=project/theirs"]) {
      const { status, text } = await answer({ method: "GET", url }, { authorization: `Bearer ${tokens.whole}` });
      const shown = url.endsWith("/output") ? hidden : secret;
      expect([url, status, text]).toEqual([url, 200, expect.stringContaining(shown)]);
    }
  });
});
