import { describe, expect, it } from "vitest";
import { openScene, type Scene } from "../testing.ts";

type Sent = { headers?: Record<string, string>; form?: Record<string, string> };

async function send(scene: Scene, method: string, path: string, { headers = {}, form }: Sent = {}): Promise<Response> {
  const body = form && new URLSearchParams(form);
  return fetch(`${scene.url}${path}`, { method, headers, redirect: "manual", ...(body && { body }) });
}

/** Signs in as a browser does, and gives the cookie. */
async function signIn(scene: Scene, token: string): Promise<string> {
  const answer = await send(scene, "POST", "/login", { headers: { origin: scene.url }, form: { token } });
  expect([answer.status, answer.headers.get("location")]).toEqual([303, "/ui"]);
  return /^[^;]+/.exec(answer.headers.getSetCookie()[0] ?? "")![0];
}

/** The cookie that a proxy gets for https. */
async function proxied(scene: Scene): Promise<string> {
  const headers = { "sec-fetch-site": "same-origin", "x-forwarded-proto": "https" };
  const answer = await send(scene, "POST", "/login", { headers, form: { token: await scene.token("read") } });
  return answer.headers.getSetCookie()[0] ?? "";
}

describe("a browser's session", () => {
  it("is given for a token, in a cookie that is neither the token nor within reach of scripts", async () => {
    await using scene = await openScene();
    const token = await scene.token("run");
    const answer = await send(scene, "POST", "/login", { headers: { origin: scene.url }, form: { token, next: "/ui/jobs/a?b=c" } });
    expect([answer.status, answer.headers.get("location")]).toEqual([303, "/ui/jobs/a?b=c"]);
    const [cookie = ""] = answer.headers.getSetCookie();
    expect(cookie).toMatch(/^podq_session=[\w-]{43}; Max-Age=28800; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain(token.split("_")[2]);
    const [session = ""] = cookie.split(";");
    expect((await send(scene, "GET", "/v1/pods", { headers: { cookie: session } })).status).toBe(200);
    expect((await send(scene, "GET", "/v1/pods", { headers: { cookie: `${session}x` } })).status).toBe(401);
    expect(JSON.stringify(scene.log)).not.toContain(token.split("_")[2]);
    expect(scene.log).toContainEqual(expect.objectContaining({ audit: true, url: "/login", token: token.split("_")[1] }));
  });

  it("is not given for what is no token, nor to a page elsewhere, nor leads it elsewhere", async () => {
    await using scene = await openScene();
    const token = await scene.token("run");
    const headers = { origin: scene.url };
    const wrong = await send(scene, "POST", "/login", { headers, form: { token: `${token}x`, next: '/ui"><b>' } });
    expect([wrong.status, wrong.headers.getSetCookie()]).toEqual([401, []]);
    const page = await wrong.text();
    expect(page).toContain("There is no such token");
    expect(page).not.toContain("<b>");
    for (const other of [{ origin: "http://evil.example" }, { origin: "null" }, { ...headers, "sec-fetch-site": "same-site" }, {}])
      expect((await send(scene, "POST", "/login", { headers: other, form: { token } })).status).toBe(403);
    for (const next of ["https://evil.example", "//evil.example", "/\\evil.example", "/v1/pods", "/ui/\nx"])
      expect((await send(scene, "POST", "/login", { headers, form: { token, next } })).headers.get("location")).toBe("/ui");
  });

  it("writes only for pages of the API itself", async () => {
    await using scene = await openScene();
    const { body } = await scene.ask("POST", "/v1/pods", { token: await scene.token("run"), body: { owner: { project: "p" } } });
    const cookie = await signIn(scene, await scene.token("run"));
    const cancel = async (headers: Record<string, string>): Promise<number> =>
      (await send(scene, "POST", `/v1/jobs/${String(body.id)}/cancel`, { headers: { cookie, ...headers } })).status;
    const sites = ["same-site", "cross-site", "none"].map((site) => ({ "sec-fetch-site": site, origin: scene.url }));
    for (const headers of [{}, { origin: "http://evil.example" }, { origin: "null" }, ...sites]) expect(await cancel(headers)).toBe(403);
    expect((await send(scene, "POST", "/logout", { headers: { cookie, origin: "http://evil.example" } })).status).toBe(403);
    expect(await cancel({ origin: scene.url })).toBe(200);
    expect(await cancel({ "sec-fetch-site": "same-origin" })).toBe(200);
  });

  it("ends by signing out, with its token, and with its time", async () => {
    await using scene = await openScene();
    const token = await scene.token("read");
    const status = async (cookie: string): Promise<number> => (await send(scene, "GET", "/v1/pods", { headers: { cookie } })).status;
    const [out, stays] = [await signIn(scene, token), await signIn(scene, token)];
    const left = await send(scene, "POST", "/logout", { headers: { cookie: out, origin: scene.url }, form: {} });
    expect([left.status, left.headers.get("location"), left.headers.getSetCookie()[0]]).toEqual([
      303,
      "/login",
      expect.stringContaining("podq_session=; "),
    ]);
    await expect.poll(() => scene.log.findLast(({ url }) => url === "/logout")).toMatchObject({ audit: true, token: token.split("_")[1] });
    expect([await status(out), await status(stays)]).toEqual([401, 200]);
    const twice = await send(scene, "POST", "/logout", { headers: { cookie: out, origin: scene.url }, form: {} });
    expect([twice.status, twice.headers.get("location")]).toEqual([303, "/login"]);
    expect(twice.headers.getSetCookie()).toEqual(left.headers.getSetCookie());
    await scene.token("run");
    await scene.store.tokens.revoke(token.split("_")[1]!);
    expect(await status(stays)).toBe(401);
    await using brief = await openScene({ PODQ_API_SESSION_MS: "1000" });
    const cookie = await signIn(brief, await brief.token("read"));
    await expect.poll(async () => (await send(brief, "GET", "/v1/pods", { headers: { cookie } })).status, { timeout: 20_000 }).toBe(401);
  });

  it("is for https alone where a proxy that is believed says so", async () => {
    await using believing = await openScene({ PODQ_API_PROXIES: "127.0.0.0/8" });
    const cookie = await proxied(believing);
    expect(cookie).toMatch(/^__Host-podq_session=.*; Path=\/; HttpOnly; Secure; SameSite=Strict$/); // a name that no plain page can set
    const [session = ""] = cookie.split(";");
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await send(believing, "GET", "/v1/pods", { headers })).status;
    const https = { "x-forwarded-proto": "https" };
    expect(await status({ ...https, cookie: session })).toBe(200);
    expect(await status({ ...https, cookie: session.replace("__Host-", "") })).toBe(401);
    const left = await send(believing, "POST", "/logout", {
      headers: { ...https, cookie: session, "sec-fetch-site": "same-origin" },
      form: {},
    });
    expect(left.headers.getSetCookie()[0]).toContain("__Host-podq_session=; ");
    expect(await status({ ...https, cookie: session })).toBe(401);
    await using wary = await openScene({ PODQ_API_PROXIES: "10.0.0.0/8" });
    expect(await proxied(wary)).not.toContain("Secure");
  });
});

describe("a page without a session", () => {
  it("leads to the login, and back; whoever comes from elsewhere gets another chance to show the cookie", async () => {
    await using scene = await openScene();
    const token = await scene.token("read");
    const html = { accept: "text/html,*/*" };
    const away = await send(scene, "GET", "/ui/jobs/a?b=c", { headers: html });
    expect([away.status, away.headers.get("location")]).toEqual([303, "/login?next=%2Fui%2Fjobs%2Fa%3Fb%3Dc"]);
    const login = await send(scene, "GET", "/login?next=%2Fui%2Fjobs%2Fa%3Fb%3Dc", { headers: html });
    expect([login.status, await login.text()]).toEqual([200, expect.stringContaining('value="/ui/jobs/a?b=c"')]);
    const cross = await send(scene, "GET", "/login?next=%2Fui%2Fjobs", { headers: { ...html, "sec-fetch-site": "cross-site" } });
    expect(await cross.text()).toContain('content="0;url=/login?next=%2Fui%2Fjobs"');
    const known = await send(scene, "GET", "/login?next=%2Fui%2Fjobs", { headers: { ...html, cookie: await signIn(scene, token) } });
    expect([known.status, known.headers.get("location")]).toEqual([303, "/ui/jobs"]);
  });

  it("is for everybody on this machine while there is no token, but no page elsewhere writes there", async () => {
    await using scene = await openScene();
    expect((await send(scene, "GET", "/login")).headers.get("location")).toBe("/ui");
    const { body } = await scene.ask("POST", "/v1/pods", { body: { owner: { project: "p" } } });
    const cancel = async (headers: Record<string, string>): Promise<number> =>
      (await send(scene, "POST", `/v1/jobs/${String(body.id)}/cancel`, { headers })).status;
    expect(await cancel({ origin: "http://evil.example" })).toBe(403);
    expect(await cancel({ origin: "http://127.0.0.1:1", "sec-fetch-site": "same-site" })).toBe(403);
    expect(await cancel({ origin: scene.url })).toBe(200);
    expect(await cancel({})).toBe(200);
  });
});
