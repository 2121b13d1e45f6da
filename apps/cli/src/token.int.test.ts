import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, inject, it } from "vitest";

const main = join(import.meta.dirname, "main.ts");

it("tokens are made, shown without their text, and revoked; podq api lets in whoever has one", { timeout: 120_000 }, async () => {
  const { redisUrl, mongodbUri } = inject("services");
  const prefix = `t${randomBytes(6).toString("hex")}`;
  const uri = new URL(mongodbUri);
  uri.pathname = `/${prefix}`;
  const env = { ...process.env, REDIS_URL: redisUrl, MONGODB_URI: uri.href, PODQ_PREFIX: prefix, PODQ_API_PORT: "0" };
  const start = (args: string[], more: object = {}) =>
    spawn(process.execPath, [main, ...args], { env: { ...env, ...more }, stdio: "pipe" });
  const run = async (args: string[], more: object = {}): Promise<{ code: number | null; stdout: string; stderr: string }> => {
    const child = start(args, more);
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    return { code: child.exitCode, stdout, stderr };
  };

  const first = ["token", "create", "first", "--scope", "admin", "--if-none"];
  const firsts = await Promise.all([run(first), run(first), run(first)]);
  expect(firsts.map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(firsts.filter(({ stdout }) => stdout.startsWith("podq_"))).toHaveLength(1);
  expect((await run(["token", "revoke", "000000000000"])).code).toBe(0);
  expect(await run(first)).toMatchObject({ code: 0, stdout: "" });

  const made = await run(["token", "create", "ci", "--scope", "read", "--owner", "project/p1"]);
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^podq_[0-9a-f]{12}_\S{43}\n$/) as string });
  const token = made.stdout.trim();
  const listed = await run(["token", "ls"]);
  expect(listed.stdout).toMatch(/ci +read +project\/p1/);
  expect(listed.stdout).not.toContain(token.split("_")[2]);
  expect(await run(["token", "create", "x", "--owner", "p1"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("project/ID") as string,
  });
  expect(await run(["token", "create", "x", "--scope", "admin", "--owner", "project/p1"])).toMatchObject({ code: 2 });

  const api = start(["api"]);
  const ready = Promise.withResolvers<string>();
  let log = "";
  api.stderr.on("data", (chunk: Buffer) => {
    log += chunk.toString();
    const [, url] = /"url":"([^"]+)".*the API is ready/.exec(log) ?? [];
    if (url) ready.resolve(url);
  });
  api.once("exit", () => ready.reject(new Error(`the API did not start: ${log}`)));
  const url = await ready.promise;
  const ask = async (): Promise<number> => (await fetch(`${url}/v1/pods`, { headers: { authorization: `Bearer ${token}` } })).status;
  expect(await ask()).toBe(200);
  expect((await fetch(`${url}/v1/pods`)).status).toBe(401);
  const overHttp = { PODQ_URL: url, PODQ_TOKEN: token, REDIS_URL: "redis://127.0.0.1:1", MONGODB_URI: "mongodb://127.0.0.1:1/x" };
  expect(await run(["ls", "--json"], overHttp)).toEqual({ code: 0, stdout: "[]\n", stderr: "" });
  expect(await run(["delete", "--project", "p2"], overHttp)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("forbidden") as string,
  });
  expect(await run(["token", "revoke", token.split("_")[1]!])).toMatchObject({ code: 0 });
  expect(await ask()).toBe(401);
  expect(await run(["token", "revoke", token.split("_")[1]!])).toMatchObject({ code: 1 });
  const ended = once(api, "exit");
  api.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
});
