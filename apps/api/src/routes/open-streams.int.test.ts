import { once } from "node:events";
import { connect } from "node:net";
import { connectRedis } from "@podq/queue";
import { expect, it } from "vitest";
import { openScene, type Scene } from "../testing.ts";

async function exec(scene: Scene, token: string): Promise<string> {
  return String((await scene.ask("POST", "/v1/pods/project/p/exec", { token, body: { command: "x" } })).body.id);
}

/** Asks, and has gone before there can be an answer. */
async function askAndGo({ url }: Scene, token: string, method: string, path: string): Promise<void> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  await once(socket, "connect");
  socket.end(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  socket.destroySoon();
  await once(socket, "close");
}

it.each([
  ["GET", "/events"],
  ["HEAD", "/events"],
  ["GET", "/output?follow=true"],
  ["GET", "?wait=60s"],
])(
  "nothing is followed for a caller who went before %s %s was answered",
  async (method, tail) => {
    await using scene = await openScene();
    const token = await scene.token("run");
    const redis = await connectRedis(scene.databases.redisUrl, "caller");
    const jobs = [await exec(scene, token), await exec(scene, token), await exec(scene, token)];
    for (const job of jobs) await askAndGo(scene, token, method, `/v1/jobs/${job}${tail}`);
    // Whoever comes later is answered later, so the early ones have got as far as they get.
    for (const job of jobs) {
      const stop = new AbortController();
      const later = await fetch(`${scene.url}/v1/jobs/${job}/events`, {
        headers: { authorization: `Bearer ${token}` },
        signal: stop.signal,
      });
      await later.body!.getReader().read();
      stop.abort();
    }
    const followed = async (): Promise<string[]> =>
      ((await redis.call("PUBSUB", "CHANNELS", `${scene.databases.prefix}*`)) as string[]).filter((one) =>
        jobs.some((job) => one.includes(job)),
      );
    await expect.poll(followed, { timeout: 20_000, interval: 200 }).toEqual([]);
    redis.disconnect();
  },
  60_000,
);

it("an open stream ends soon after its token was revoked, and others go on", async () => {
  await using scene = await openScene();
  const whole = await scene.token("admin");
  const { text, token } = await scene.store.tokens.create({ label: "x", scope: "read", owners: ["project/p"] });
  const job = await exec(scene, whole);
  await scene.store.jobs.claim((await scene.store.jobs.get(job))!, "worker", 600_000, null);
  await scene.store.output.append(job, 1, [{ stream: "stdout", offset: 0, data: Buffer.from("first ") }]);
  const stop = new AbortController();
  const read = async (path: string, by: string): Promise<{ heard: () => string; over: () => boolean }> => {
    const { body } = await fetch(`${scene.url}${path}`, { headers: { authorization: `Bearer ${by}` }, signal: stop.signal });
    let [heard, over] = ["", false];
    void (async () => {
      for await (const chunk of body!) heard += Buffer.from(chunk).toString();
    })()
      .catch(() => undefined)
      .finally(() => (over = true));
    return { heard: () => heard, over: () => over };
  };
  const output = `/v1/jobs/${job}/output?stream=stdout&follow=true`;
  const theirs = [await read(output, text), await read(`/v1/jobs/${job}/events`, text)];
  const [others, events] = [await read(output, whole), await read(`/v1/jobs/${job}/events`, whole)];
  await expect.poll(() => [...theirs, others, events].every(({ heard }) => heard() !== ""), { timeout: 20_000 }).toBe(true);
  await scene.store.tokens.revoke(token._id);
  await expect.poll(() => theirs.map(({ over }) => over()), { timeout: 60_000 }).toEqual([true, true]);
  await scene.store.output.append(job, 1, [{ stream: "stdout", offset: 6, data: Buffer.from("second") }]);
  await expect.poll(others.heard, { timeout: 20_000 }).toBe("first second");
  expect([others.over(), events.over(), theirs[0]!.heard()]).toEqual([false, false, "first "]);
  stop.abort();
}, 120_000);

it("an input that is still open ends soon after its token was revoked, and the job with it", async () => {
  await using scene = await openScene();
  const { text, token } = await scene.store.tokens.create({ label: "x", scope: "run", owners: ["project/p"] });
  const body = { command: "cat", stdin: { stream: true } };
  const job = String((await scene.ask("POST", "/v1/pods/project/p/exec", { token: text, body })).body.id);
  const stop = new AbortController();
  const putting = fetch(`${scene.url}/v1/jobs/${job}/stdin`, {
    method: "PUT",
    headers: { authorization: `Bearer ${text}`, "content-type": "application/octet-stream" },
    body: new ReadableStream({ start: (input) => input.enqueue(Buffer.from("first")) }),
    duplex: "half",
    signal: stop.signal,
  }).then(
    () => "answered",
    () => "cut off",
  );
  await expect.poll(async () => (await scene.store.input.pieceAt(job, 0)) !== null, { timeout: 20_000 }).toBe(true);
  await scene.store.tokens.revoke(token._id);
  await expect.poll(async () => (await scene.store.jobs.get(job))?.state, { timeout: 60_000 }).toBe("cancelled");
  expect(await putting).toBe("cut off");
  stop.abort();
}, 120_000);
