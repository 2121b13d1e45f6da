import { once } from "node:events";
import { request as ask } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { openScene, type Scene } from "./testing.ts";

const form = { "content-type": "application/x-www-form-urlencoded" };

/** Statuses of six requests, where five a minute are allowed. */
async function six(path: string, more: RequestInit & { scene: Scene }): Promise<number[]> {
  const { scene, ...init } = more;
  const statuses = [];
  for (let n = 0; n < 6; n += 1) statuses.push((await fetch(`${scene.url}${path}`, { redirect: "manual", ...init })).status);
  return statuses;
}

const of = (status: number): number[] => [status, status, status, status, status, 429];

describe("requests a minute", () => {
  it.each<[string, string, number, RequestInit]>([
    ["with a token that is none", "/v1/pods", 401, { headers: { authorization: `Bearer ${"podq_000000000000_".padEnd(61, "A")}` } }],
    ["with a session that is none", "/v1/pods", 401, { headers: { cookie: `podq_session=${"A".repeat(43)}` } }],
    ["with nothing", "/no/such/path", 401, {}],
    ["of a browser without a session", "/ui", 303, { headers: { accept: "text/html" } }],
    ["for the login", "/login", 200, {}],
    ["to sign in with JSON", "/login", 415, { method: "POST", headers: { "content-type": "application/json" }, body: "{" }],
    ["to sign in with far too much", "/login", 413, { method: "POST", headers: form, body: `token=${"x".repeat(8_192)}` }],
    ["to sign in with too long a token", "/login", 400, { method: "POST", headers: form, body: `token=${"x".repeat(2_000)}` }],
  ])("%s are bounded for their address", async (_what, path, status, init) => {
    await using scene = await openScene({ PODQ_API_RATE: "5" }, { guarded: true });
    expect(await six(path, { scene, ...init })).toEqual(of(status));
    expect((await fetch(`${scene.url}/healthz`)).status).toBe(200);
    const writes = init.method === undefined ? 0 : 5;
    await expect.poll(() => scene.log.filter(({ audit }) => audit === true).length).toBe(writes);
  });

  it("are bounded for a token, whatever it asks for, and not for others at its address", async () => {
    await using scene = await openScene({ PODQ_API_RATE: "5" }, { guarded: true });
    const [one, other, third, late] = [
      await scene.token("run"),
      await scene.token("run"),
      await scene.token("run"),
      await scene.token("run"),
    ];
    const as = (token: string) => ({ scene, headers: { authorization: `Bearer ${token}`, "content-type": "application/json" } });
    expect(await six("/v1/no/such", as(one))).toEqual(of(404));
    expect(await six("/v1/pods", { ...as(other), method: "POST", body: '{"owner":{}}' })).toEqual(of(400));
    const status = async (token: string): Promise<number> => (await scene.ask("GET", "/v1/pods", { token })).status;
    expect(await status(third)).toBe(200);
    expect(await six("/v1/pods", { scene })).toEqual(of(401));
    expect(await status(third)).toBe(200);
    expect(await status(late)).toBe(429); // not known yet, and its address had its share
  });
});

describe("a body", () => {
  it("has its time to come, but for input that is streamed", async () => {
    await using scene = await openScene({ PODQ_API_BODY_MS: "1000" }, { guarded: true });
    const token = await scene.token("run");
    const body = { command: ["cat"], stdin: { stream: true } };
    const { body: job } = await scene.ask("POST", "/v1/pods/project/p/exec", { token, body });
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/octet-stream" };
    const put = ask(`${scene.url}/v1/jobs/${String(job.id)}/stdin`, { method: "PUT", headers });
    put.write("first");
    for (const [path, status] of [
      ["/login", 408],
      ["/v1/pods", 401], // answered before the body, which nobody waits for
    ] as const) {
      const socket = connect(Number(new URL(scene.url).port), "127.0.0.1");
      socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${form["content-type"]}\r\ncontent-length: 100\r\n\r\nt`);
      const answer = await text(socket);
      expect([path, answer.match(/^HTTP\/1\.1 \d+/gm)]).toEqual([path, [`HTTP/1.1 ${status}`]]);
    }
    put.end("second");
    const [response] = (await once(put, "response")) as [{ statusCode: number; resume: () => void }];
    response.resume();
    expect(response.statusCode).toBe(204);
  });
});
