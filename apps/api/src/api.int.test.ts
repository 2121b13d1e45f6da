import { Agent, get } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { startMongo } from "@podq/devstack";
import { describe, expect, it } from "vitest";
import { openScene, type Scene } from "./testing.ts";

const exec = async (scene: Scene, more: object = {}): Promise<string> => {
  const { status, body, headers } = await scene.ask("POST", "/v1/pods/project/p1/exec", { body: { command: ["true"], ...more } });
  expect({ status, location: headers.get("location") }).toEqual({ status: 202, location: `/v1/jobs/${String(body.id)}` });
  return String(body.id);
};

describe("over HTTP", () => {
  it("a request is accepted as a job, which is found, waited for, and read", async () => {
    await using scene = await openScene();
    const created = await scene.ask("POST", "/v1/pods", { body: { owner: { project: "p1" }, image: "x:1", labels: { team: "a" } } });
    expect(created).toMatchObject({ status: 202, body: { kind: "create", state: "queued", owner: { project: "p1" }, position: 0 } });
    const id = await exec(scene, { stdin: { base64: "AP8=" }, labels: { team: "b" } });
    expect((await scene.ask("GET", `/v1/jobs/${id}`)).body).toMatchObject({ state: "queued", position: 1, result: null });
    const stdin = await Array.fromAsync(scene.store.input.read(id));
    expect(Buffer.concat(stdin)).toEqual(Buffer.from([0, 255]));
    await scene.ask("POST", `/v1/jobs/${String(created.body.id)}/cancel`, { body: { reason: "no need" } });
    const waiting = scene.ask("GET", `/v1/jobs/${id}?wait=30s`);
    await scene.finish(id, 3, "hello");
    expect(await waiting).toMatchObject({ status: 200, body: { state: "succeeded", result: { exitCode: 3, stdoutBytes: 5 } } });
    const bytes = await fetch(`${scene.url}/v1/jobs/${id}/output?stream=stdout&from=1`);
    expect([await bytes.text(), bytes.headers.get("content-type")]).toEqual(["ello", "application/octet-stream"]);
    const lines = await (await fetch(`${scene.url}/v1/jobs/${id}/output`)).text();
    expect(JSON.parse(lines)).toEqual({ stream: "stdout", offset: 0, data: Buffer.from("hello").toString("base64") });
    const listed = await scene.ask("GET", "/v1/jobs?owner=project/p1&limit=1");
    expect(listed.body).toMatchObject({ items: [{ id }], next: expect.any(String) as string });
    const rest = await scene.ask("GET", `/v1/jobs?owner=project/p1&cursor=${String(listed.body.next)}`);
    expect(rest.body).toMatchObject({ items: [{ id: created.body.id, state: "cancelled" }], next: null });
  });

  it("takes as much standard input given whole for a job that is tried again as for the first: 16 MiB", async () => {
    await using scene = await openScene();
    const id = await exec(scene, { stdin: "x" });
    await scene.ask("POST", `/v1/jobs/${id}/cancel`, { body: {} });
    for (const stdin of ["x".repeat(16_777_217), { base64: "A".repeat(22_369_624) }])
      for (const path of ["/v1/pods/project/p1/exec", `/v1/jobs/${id}/retry`]) {
        const command = path.endsWith("exec") ? { command: ["true"] } : {};
        const { status, body } = await scene.ask("POST", path, { body: { ...command, stdin } });
        expect([path, status, body.code]).toEqual([path, 400, "invalid-request"]);
      }
    const { status, body } = await scene.ask("POST", `/v1/jobs/${id}/retry`, { body: { stdin: "y" } });
    expect([status, body.retryOf]).toEqual([202, id]);
  });

  it("many waits on one connection leave nothing behind", async () => {
    await using scene = await openScene();
    const id = await exec(scene);
    const warnings: Error[] = [];
    const heard = (warning: Error): unknown => warnings.push(warning);
    process.on("warning", heard);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = async (): Promise<number | undefined> => {
      const answer = Promise.withResolvers<number | undefined>();
      get(`${scene.url}/v1/jobs/${id}/output`, { agent }, (response) =>
        response.resume().once("end", () => answer.resolve(response.statusCode)),
      );
      return answer.promise;
    };
    for (let n = 0; n < 20; n += 1) expect(await ask()).toBe(200);
    agent.destroy();
    process.off("warning", heard);
    expect(warnings).toEqual([]);
  });

  it("stop, start and restart need no body", async () => {
    await using scene = await openScene();
    for (const kind of ["stop", "start", "restart"])
      expect(await scene.ask("POST", `/v1/pods/project/p/${kind}`)).toMatchObject({ status: 202, body: { kind } });
  });

  it("whoever follows a silent command's output is answered at once", async () => {
    await using scene = await openScene();
    const id = await exec(scene);
    for (const query of ["stream=stdout&follow=true", "follow=true"]) {
      const stop = new AbortController();
      const response = await fetch(`${scene.url}/v1/jobs/${id}/output?${query}`, { signal: stop.signal });
      expect([response.status, response.headers.get("content-security-policy")]).toEqual([200, expect.any(String) as string]);
      stop.abort();
    }
  });

  it("a MongoDB that is away is told as such, whoever asks, and nothing of where it is", async () => {
    const mongo = await startMongo();
    await using scene = await openScene({ MONGODB_URI: mongo.uri.replace("/?", "/podq?") });
    const id = await exec(scene);
    await mongo.kill();
    const headers = [{}, { authorization: `Bearer ${"podq_000000000000_".padEnd(61, "A")}` }, { cookie: `podq_session=${"A".repeat(43)}` }];
    const paths = ["/readyz", "/v1/pods", "/v1/jobs", `/v1/jobs/${id}`];
    const asked = paths.flatMap((path) => headers.map(async (one) => scene.ask("GET", path, { headers: one })));
    for (const { status, body } of await Promise.all(asked)) {
      expect([status, body.code]).toEqual([503, "unavailable"]);
      expect(body.detail).not.toMatch(/127\.0\.0\.1|localhost/);
    }
  }, 120_000);

  it("the same request under one key is one job, and another one a conflict", async () => {
    await using scene = await openScene();
    const ask = async (command: string) =>
      scene.ask("POST", "/v1/pods/conversation/c/exec", { body: { command }, headers: { "idempotency-key": "k" } });
    const [one, two, other] = [await ask("a"), await ask("a"), await ask("b")];
    expect(two.body.id).toBe(one.body.id);
    expect(other).toMatchObject({ status: 409, body: { code: "conflict" } });
  });

  it.each<[string, string, string, unknown, number, object]>([
    ["no owner", "POST", "/v1/pods", { owner: {} }, 400, { code: "invalid-request", field: "owner" }],
    ["an unknown option", "POST", "/v1/pods", { owner: { project: "p" }, colour: "red" }, 400, { code: "invalid-request" }],
    ["a bad figure", "POST", "/v1/pods", { owner: { project: "p" }, resources: { memory: "much" } }, 400, { field: "resources.memory" }],
    ["an owner that is none", "POST", "/v1/pods/nobody/x/exec", { command: "x" }, 400, { field: "owner" }],
    ["no command", "POST", "/v1/pods/project/p/exec", {}, 400, { field: "command" }],
    [
      "a bound that is crossed",
      "POST",
      "/v1/pods/project/p/exec",
      { command: "x", parallel: true, maxOutputBytes: 5e7 },
      400,
      { field: "maxOutputBytes" },
    ],
    ["a cursor of one's own", "GET", "/v1/pods?cursor=abc", undefined, 400, { field: "cursor" }],
    [
      "a cursor of another list",
      "GET",
      `/v1/jobs?cursor=${Buffer.from('["x","y"]').toString("base64url")}`,
      undefined,
      400,
      { field: "cursor" },
    ],
    ["a pod's name without its owner", "GET", "/v1/jobs?name=gpu", undefined, 400, { field: "name" }],
    ["a wait that is too long", "GET", "/v1/jobs/x?wait=900s", undefined, 400, { field: "wait" }],
    ["an unknown job", "GET", "/v1/jobs/none", undefined, 404, { code: "not-found" }],
    ["an unknown pod", "GET", "/v1/pods/project/none", undefined, 404, { code: "not-found" }],
    ["an unknown path", "GET", "/v2", undefined, 404, { code: "not-found" }],
    ["a job id that is too long", "GET", `/v1/jobs/${"x".repeat(2_000)}`, undefined, 400, { field: "id" }],
    ["an empty number", "DELETE", "/v1/pods/project/p?timeoutMs=", undefined, 400, { field: "timeoutMs" }],
    ["a label without a value", "GET", "/v1/pods?label=team", undefined, 400, { field: "label" }],
    ["a path in a way it does not take", "PUT", "/v1/jobs/x", undefined, 405, { code: "method-not-allowed" }],
    ["a retry with a variable that has no name", "POST", "/v1/jobs/x/retry", { env: { "": "x" } }, 400, { code: "invalid-request" }],
  ])("%s is answered with a problem, and nothing is written", async (_what, method, path, body, status, told) => {
    await using scene = await openScene();
    const answer = await scene.ask(method, path, { body });
    expect(answer).toMatchObject({ status, body: { ...told, status, type: expect.stringMatching(/^urn:podq:problem:/) as string } });
    expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect((await scene.ask("GET", "/v1/jobs")).body.items).toEqual([]);
  });

  it("bounds hold: bodies, requests a minute, and a pod's line", async () => {
    await using scene = await openScene({ PODQ_API_RATE: "3", PODQ_API_BODY_BYTES: "2048" });
    expect(await scene.ask("POST", "/v1/pods/project/p/exec", { body: { command: "x".repeat(4_000) } })).toMatchObject({
      status: 413,
      body: { code: "body-too-large" },
    });
    const answers = [];
    for (let n = 0; n < 5; n += 1) answers.push(await scene.ask("GET", "/v1/jobs"));
    expect(answers.at(-1)).toMatchObject({ status: 429, body: { code: "rate-limited" } });
    expect(answers.at(-1)!.headers.get("retry-after")).toMatch(/^\d+$/);
  });

  it("describes itself as OpenAPI 3.1, with a page to read", async () => {
    await using scene = await openScene();
    const { body } = await scene.ask("GET", "/openapi.json");
    expect(body).toMatchObject({ openapi: "3.1.0", paths: { "/v1/pods": { post: {}, get: {} }, "/v1/jobs/{id}/events": { get: {} } } });
    expect((await fetch(`${scene.url}/docs`)).status).toBe(200);
    const { paths } = body as { paths: Record<string, Record<string, { requestBody?: { required: boolean; content: object } }>> };
    expect(paths["/v1/jobs/{id}/cancel"]!.post!.requestBody).toMatchObject({ required: false });
    expect(Object.keys(paths["/v1/jobs/{id}/stdin"]!.put!.requestBody!.content)).toEqual(["application/octet-stream"]);
  });

  it("answers what is too large a head, or no HTTP at all, with a problem too", async () => {
    await using scene = await openScene();
    expect(await scene.ask("GET", `/v1/jobs/${"x".repeat(70_000)}`)).toMatchObject({ status: 431, body: { code: "head-too-large" } });
    const socket = connect(Number(new URL(scene.url).port), "127.0.0.1");
    socket.end("hello\r\n\r\n");
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\ncontent-type: application\/problem\+json/);
  });

  it("says which methods a path takes, to whoever may know of it", async () => {
    await using scene = await openScene();
    const answer = await scene.ask("PATCH", "/v1/pods/project/p1?x=1");
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "DELETE, GET, HEAD"]);
    const exec = await scene.ask("GET", "/v1/pods/project/p1/exec");
    expect([exec.status, exec.headers.get("allow")]).toEqual([405, "POST"]);
    expect((await scene.ask("GET", "/v1/pods/project/p1/gpu")).status).toBe(404);
    const token = await scene.token("read");
    expect((await scene.ask("PATCH", "/v1/pods/project/p1")).status).toBe(401);
    expect((await scene.ask("PATCH", "/v1/pods/project/p1", { token })).status).toBe(405);
  });
});

/** The events of a stream up to the one that fits. */
async function events(
  scene: Scene,
  path: string,
  until: (data: Record<string, unknown>) => boolean,
  last?: number,
): Promise<[number, string, Record<string, unknown>][]> {
  const stop = new AbortController();
  const headers = last === undefined ? {} : { "last-event-id": String(last) };
  const response = await fetch(`${scene.url}${path}`, { headers, signal: stop.signal });
  const seen: [number, string, Record<string, unknown>][] = [];
  let rest = "";
  try {
    for await (const chunk of response.body!) {
      rest += Buffer.from(chunk).toString();
      for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
        const [, id, name, data] = /^id: (\d+)\nevent: (\w+)\ndata: (.*)$/s.exec(rest.slice(0, end)) ?? [];
        rest = rest.slice(end + 2);
        if (data === undefined) continue;
        seen.push([Number(id), name!, JSON.parse(data) as Record<string, unknown>]);
        if (until(seen.at(-1)![2])) stop.abort();
      }
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  return seen;
}

describe("events", () => {
  it("tell a job's changes to its end; who reconnects misses and repeats nothing", async () => {
    await using scene = await openScene();
    const id = await exec(scene);
    const path = `/v1/jobs/${id}/events`;
    const whole = events(scene, path, () => false);
    await expect.poll(async () => (await events(scene, path, () => true)).length).toBe(1);
    await scene.finish(id, 0, "");
    const all = await whole;
    expect(all[0]).toMatchObject([1, "snapshot", { state: "queued" }]);
    expect(all.map(([version]) => version)).toEqual([1, 2, 3]);
    expect(all.at(-1)).toMatchObject([3, "change", { state: "succeeded" }]);
    expect((await events(scene, path, () => false, 1)).map(([version, name]) => [version, name])).toEqual([
      [2, "change"],
      [3, "change"],
    ]);
    expect((await fetch(`${scene.url}${path}`, { headers: { "last-event-id": "3" } })).status).toBe(204);
  });

  it("begin with a snapshot when what was missed is no longer kept", async () => {
    await using scene = await openScene();
    const id = await exec(scene);
    const claim = { id, attempt: (await scene.store.jobs.claim((await scene.store.jobs.get(id))!, "w", 60_000, null))!.attempt };
    for (let n = 0; n < 60; n += 1) await scene.store.jobs.restart(claim);
    await scene.store.jobs.end(claim, { state: "lost", result: null, error: null, why: "test" });
    const [first, ...more] = await events(scene, `/v1/jobs/${id}/events`, () => false, 2);
    expect(first).toMatchObject([63, "snapshot", { state: "lost" }]);
    expect(more).toEqual([]);
  });
});
