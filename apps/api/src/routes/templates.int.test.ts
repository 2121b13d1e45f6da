import { connect } from "@podq/client";
import { expect, it } from "vitest";
import { openScene } from "../testing.ts";

const path = "/v1/templates/py";

it("templates are saved in versions, looked at, and deleted", async () => {
  await using scene = await openScene();
  expect(await scene.ask("PUT", path, { body: { image: "a", env: { A: "1" } } })).toMatchObject({
    status: 201,
    body: { version: 1, isNew: true },
  });
  expect(await scene.ask("PUT", path, { body: { env: { A: "1" }, image: "a" } })).toMatchObject({
    status: 200,
    body: { version: 1, isNew: false },
  });
  expect(await scene.ask("PUT", path, { body: { image: "b" } })).toMatchObject({ status: 201, body: { version: 2 } });
  expect(await scene.ask("GET", path)).toMatchObject({ status: 200, body: { name: "py", version: 2, body: { image: "b" } } });
  expect((await scene.ask("GET", `${path}@1`)).body).toMatchObject({ version: 1, body: { image: "a", env: { A: "1" } } });
  expect((await scene.ask("GET", "/v1/templates")).body).toMatchObject({ items: [{ version: 2 }] });
  expect((await scene.ask("GET", "/v1/templates?name=py")).body).toMatchObject({ items: [{ version: 2 }, { version: 1 }] });
  expect((await scene.ask("DELETE", path)).status).toBe(204);
  for (const method of ["GET", "DELETE"]) expect(await scene.ask(method, path)).toMatchObject({ status: 404, body: { code: "not-found" } });
});

it.each<[unknown, RegExp]>([
  [{ spec: { hostPID: true } }, /spec/],
  [{ level: "privileged" }, /level/],
  [{ user: 0 }, /baseline/],
  [{ labels: { "podq.dev/pod": "x" } }, /labels\.podq/],
])("what no template can say is refused: %j", async (body, detail) => {
  await using scene = await openScene();
  const { status, body: problem } = await scene.ask("PUT", path, { body });
  expect([status, problem.code]).toEqual([400, "invalid-request"]);
  expect(problem.detail).toMatch(detail);
  expect((await scene.ask("GET", path)).status).toBe(404);
});

it("only who administers all of podq keeps templates; everybody with a token may look", async () => {
  await using scene = await openScene({}, { guarded: true });
  const [run, mine, whole] = [await scene.token("run"), await scene.token("admin", ["project/p"]), await scene.token("admin")];
  for (const token of [run, mine]) {
    expect((await scene.ask("PUT", path, { token, body: { level: "baseline" } })).status).toBe(403);
    expect((await scene.ask("DELETE", path, { token })).status).toBe(403);
  }
  expect((await scene.ask("PUT", path, { token: whole, body: { level: "baseline" } })).status).toBe(201);
  for (const token of [run, mine]) expect((await scene.ask("GET", path, { token })).body).toMatchObject({ body: { level: "baseline" } });
});

it("a create is accepted with the version that is the newest then, and keeps what it says itself", async () => {
  await using scene = await openScene();
  const create = async (more: object): Promise<string> => {
    const { status, body } = await scene.ask("POST", "/v1/pods", {
      body: { owner: { project: "p" }, ...more },
      headers: { "idempotency-key": "k" },
    });
    return status === 202 ? String(body.id) : `${status} ${String(body.code)}`;
  };
  expect(await create({ template: "py" })).toBe("404 not-found");
  await scene.ask("PUT", path, { body: { image: "a" } });
  const id = await create({ template: "py", resources: { cpu: "1" } });
  await scene.ask("PUT", path, { body: { image: "b" } });
  expect(await create({ template: "py", resources: { cpu: "1" } })).toBe(id); // the same request under its key, whatever was saved meanwhile
  expect(await create({ template: "py@1", resources: { cpu: "1" } })).toBe("409 conflict");
  await scene.ask("DELETE", path);
  expect(await create({ template: "py", resources: { cpu: "1" } })).toBe(id);
  expect(await create({ template: "py" })).toBe("409 conflict");
  expect(await scene.store.jobs.get(id)).toMatchObject({
    template: { name: "py", version: 1 },
    params: { template: "py", resources: { cpu: "1" } },
  });
  expect((await scene.store.jobs.get(id))!.params).not.toHaveProperty("image");
  expect(await create({ template: "py", level: "baseline" })).toBe("400 invalid-request");
  await scene.ask("PUT", "/v1/templates/rooted", { body: { image: "busybox", level: "baseline", user: 0 } });
  expect(await create({ name: "another", template: "rooted", image: "mine" })).toBe("400 invalid-request");
});

it("the SDK has the same over HTTP as with the databases", async () => {
  await using scene = await openScene();
  for (const way of [{ url: scene.url }, scene.databases]) {
    await using podq = await connect(way);
    const name = "url" in way ? "over-http" : "with-databases";
    expect(await podq.templates.apply({ name, image: "a", user: 0, level: "baseline" })).toMatchObject({ name, version: 1, isNew: true });
    expect(await podq.templates.apply({ name, image: "a", user: 0, level: "baseline" })).toMatchObject({ version: 1, isNew: false });
    expect(await podq.templates.get(name)).toMatchObject({ version: 1, body: { image: "a" }, createdAt: expect.any(Date) as Date });
    expect(await podq.templates.get(`${name}@2`)).toBeNull();
    expect((await podq.templates.list()).map((one) => one.name)).toContain(name);
    expect(await podq.templates.list(name)).toHaveLength(1);
    await expect(podq.templates.apply({ name, user: 0 })).rejects.toMatchObject({ code: "invalid-request" });
    await expect(podq.templates.get("No Name")).rejects.toMatchObject({ code: "invalid-request" });
    await podq.templates.delete(name);
    await expect(podq.templates.delete(name)).rejects.toMatchObject({ code: "not-found" });
    await expect(podq.pod({ project: "p" }).create({ template: name })).rejects.toMatchObject({ code: "not-found" });
  }
});
