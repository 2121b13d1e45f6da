import { describe, expect, it } from "vitest";
import { openScene } from "./testing.ts";

describe("access", () => {
  it("is for this machine only while there is no token, and not for pages of elsewhere", async () => {
    await using scene = await openScene({ PODQ_API_HOST: "0.0.0.0" });
    expect(scene.url).toMatch(/^http:\/\/127\.0\.0\.1:/);
    expect(scene.log).toContainEqual(expect.objectContaining({ msg: expect.stringContaining("there is no token") as string }));
    expect((await scene.ask("GET", "/v1/pods")).status).toBe(200);
    const { request } = await import("node:http");
    const status = await new Promise((resolve) => {
      request(`${scene.url}/v1/pods`, { headers: { host: "evil.example" } }, (response) => resolve(response.statusCode)).end();
    });
    expect(status).toBe(403);
  });

  it("takes a token on every path but /healthz as soon as there is one", async () => {
    await using scene = await openScene();
    const token = await scene.token("admin");
    const { body } = await scene.ask("GET", "/openapi.json", { token });
    const paths = Object.entries(body.paths as Record<string, Record<string, unknown>>);
    expect(paths.length).toBeGreaterThan(10);
    for (const [path, methods] of paths)
      for (const method of Object.keys(methods)) {
        const plain = path.replaceAll("{owner}", "project").replaceAll(/\{\w+\}/g, "x");
        for (const wrong of [undefined, `${token.slice(0, -1)}!`, "podq_000000000000_".padEnd(61, "A")]) {
          const answer = await scene.ask(method.toUpperCase(), plain, { token: wrong });
          expect([plain, method, answer.status]).toEqual([plain, method, path === "/healthz" ? 200 : 401]);
        }
      }
    for (const path of ["/docs", "/openapi.json", "/no/such", "/healthz/"]) expect((await scene.ask("GET", path)).status).toBe(401);
  });

  it("is closed to everybody when the last token is revoked", async () => {
    await using scene = await openScene({}, { guarded: true });
    const [token] = await scene.store.tokens.list();
    await scene.store.tokens.revoke(token!._id);
    expect(await scene.ask("GET", "/v1/pods")).toMatchObject({
      status: 401,
      body: { detail: expect.stringContaining("podq token create") as string },
    });
    expect((await scene.ask("POST", "/v1/pods", { body: { owner: { project: "p" } } })).status).toBe(401);
  });

  it.each(["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "forwarded", "via"])(
    "without a token is not for whoever comes through a proxy, which %s tells of",
    async (header) => {
      await using scene = await openScene();
      expect((await scene.ask("GET", "/v1/pods", { headers: { [header]: "192.0.2.1" } })).status).toBe(403);
      expect((await scene.ask("GET", "/v1/pods")).status).toBe(200);
    },
  );

  it("of a token is what its scope allows, until it is revoked", async () => {
    await using scene = await openScene();
    const [read, run] = [await scene.token("read"), await scene.token("run")];
    const body = { owner: { project: "p" } };
    expect(await scene.ask("POST", "/v1/pods", { token: read, body })).toMatchObject({ status: 403, body: { code: "access-denied" } });
    const created = await scene.ask("POST", "/v1/pods", { token: run, body });
    expect(created.status).toBe(202);
    const job = String(created.body.id);
    expect((await scene.ask("POST", `/v1/jobs/${job}/cancel`, { token: read })).status).toBe(403);
    expect((await scene.ask("GET", `/v1/jobs/${job}`, { token: read })).status).toBe(200);
    const [, id = ""] = run.split("_");
    expect(await scene.store.tokens.revoke(id)).toBe(true);
    expect((await scene.ask("GET", "/v1/pods", { token: run })).status).toBe(401);
  });

  it("of a token with owners is theirs alone: pods, jobs, output, events and lists", async () => {
    await using scene = await openScene();
    const [all, mine] = [await scene.token("run"), await scene.token("run", ["project/mine"])];
    const job = async (project: string): Promise<string> =>
      String((await scene.ask("POST", `/v1/pods/project/${project}/exec`, { token: all, body: { command: "x" } })).body.id);
    const [own, other] = [await job("mine"), await job("mine2")];
    for (const path of ["", "/output", "/events"]) {
      expect((await scene.ask("GET", `/v1/jobs/${other}${path}`, { token: mine })).status).toBe(404);
    }
    expect((await scene.ask("POST", `/v1/jobs/${other}/cancel`, { token: mine })).status).toBe(404);
    expect((await scene.ask("POST", `/v1/jobs/${other}/signal`, { token: mine, body: { signal: "SIGINT" } })).status).toBe(404);
    for (const [method, path] of [
      ["GET", ""],
      ["DELETE", ""],
      ["GET", "/events"],
      ["GET", "/gpu"],
    ] as const)
      expect((await scene.ask(method, `/v1/pods/project/mine2${path}`, { token: mine })).status).toBe(403);
    expect((await scene.ask("POST", "/v1/pods/project/mine2/exec", { token: mine, body: { command: "x" } })).status).toBe(403);
    expect((await scene.ask("POST", "/v1/pods", { token: mine, body: { owner: { project: "mine2" } } })).status).toBe(403);
    expect((await scene.ask("GET", "/v1/jobs?owner=project/mine2", { token: mine })).status).toBe(403);
    expect((await scene.ask("GET", "/v1/jobs", { token: mine })).body.items).toMatchObject([{ id: own }]);
    expect((await scene.ask("GET", "/v1/jobs", { token: all })).body.items).toHaveLength(2);
    expect((await scene.ask("GET", `/v1/jobs/${own}`, { token: mine })).status).toBe(200);
  });

  it("leaves a line in the log for each write, without the token's text", async () => {
    await using scene = await openScene();
    const token = await scene.token("run");
    const { body } = await scene.ask("POST", "/v1/pods", { token, body: { owner: { project: "p" }, env: { SECRET: "s3cret" } } });
    await expect
      .poll(() => scene.log.filter(({ audit }) => audit === true))
      .toMatchObject([{ token: token.split("_")[1], method: "POST", url: "/v1/pods", status: 202, job: `/v1/jobs/${String(body.id)}` }]);
    const callbackUrl = encodeURIComponent("https://hooks.example/s3cret");
    await scene.ask("DELETE", `/v1/pods/project/p?callbackUrl=${callbackUrl}`, { token });
    const last = () => scene.log.findLast(({ audit }) => audit === true);
    await expect.poll(last).toMatchObject({ method: "DELETE", url: "/v1/pods/project/p", ip: "127.0.0.1" });
    const text = JSON.stringify(scene.log);
    expect(text).not.toContain(token.split("_")[2]);
    expect(text).not.toContain("s3cret");
  });
});
