import { connect } from "@podq/client";
import { openContext } from "@podq/client/handles";
import { addressRule } from "@podq/jobs";
import type { Store } from "@podq/store";
import { pino } from "pino";
import { Webhook } from "standardwebhooks";
import { describe, expect, it, onTestFinished } from "vitest";
import { openScene, type Scene } from "../testing.ts";
import { startDeliveries, type DeliveryOptions } from "./deliver.ts";
import { createSigner } from "./signing.ts";
import { startReceiver } from "./testing.ts";

const master = "test".repeat(8);
const signer = createSigner(master);
const settings = { PODQ_WEBHOOK_KEY: master, PODQ_WEBHOOK_ALLOW: "127.0.0.0/8" };
const inOrder = (a: string, b: string): number => a.localeCompare(b);
const patient = { timeout: 15_000 };

const exec = async (scene: Scene, body: object, token?: string) =>
  scene.ask("POST", "/v1/pods/project/p1/exec", { token, body: { command: ["true"], ...body } });

/** Deliveries without the rest of an API: `store` may be one that fails. */
async function deliveries(scene: Scene, options: Partial<DeliveryOptions> = {}, through = (store: Store): Store => store) {
  const context = await openContext(scene.databases);
  const log = pino({ level: "silent" });
  const schedule = { firstMs: 50, longestMs: 100, tries: 4 };
  const how = { signer, post: { allowed: addressRule(["127.0.0.1"]) }, schedule, log, ...options };
  const running = await startDeliveries({ listener: context.listener, store: through(context.store) }, how);
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> =>
    (stopped ??= (async () => {
      await running.stop();
      await context.close();
    })());
  onTestFinished(stop);
  return stop;
}

/** A scene where callbacks are taken, and nobody delivers but who the test starts. */
async function quietScene(): Promise<Scene> {
  const scene = await openScene();
  await scene.store.webhooks.configure({ on: true, allow: ["127.0.0.1"] });
  return scene;
}

// A process that dies when it has sent.
const dead = (store: Store): Store => ({
  ...store,
  webhooks: { ...store.webhooks, record: async () => Promise.reject(new Error("this process is dead")) },
});

describe("a job's end", () => {
  it("is told to its callback, signed, with what its status shows and nothing else", async () => {
    await using scene = await openScene(settings);
    await using receiver = await startReceiver();
    const { status, body } = await exec(scene, {
      callbackUrl: receiver.url,
      env: { SECRET: "s3cret" },
      stdin: "hidden",
      labels: { a: "b" },
    });
    expect([status, body.callback]).toEqual([
      202,
      expect.objectContaining({ url: receiver.url, state: "waiting", tries: 0, nextAt: null }),
    ]);
    await scene.finish(String(body.id), 3, "output");
    await expect.poll(() => receiver.heard.length, patient).toBe(1);
    const metrics = async (): Promise<string> => (await fetch(`${scene.url}/metrics`)).text();
    await expect.poll(metrics, patient).toContain('podq_webhook_tries_total{state="delivered"} 1');
    const { headers, body: text, data } = receiver.heard[0]!;
    expect(new Webhook(signer.keyOf(null)).verify(text, headers)).toMatchObject({ type: "job.ended" });
    expect(headers).toMatchObject({ "content-type": "application/json", "user-agent": "podq" });
    expect(data).toEqual({
      id: body.id,
      kind: "exec",
      owner: { project: "p1" },
      name: "default",
      state: "succeeded",
      exitCode: 3,
      error: null,
      labels: { a: "b" },
      retryOf: null,
      createdAt: body.createdAt,
      startedAt: expect.any(String) as string,
      endedAt: expect.any(String) as string,
    });
    for (const secret of ["s3cret", "hidden", "output"]) expect(text).not.toContain(secret);
    const told = async () => (await scene.ask("GET", `/v1/jobs/${String(body.id)}`)).body.callback;
    await expect
      .poll(told, patient)
      .toMatchObject({ state: "delivered", tries: 1, nextAt: null, log: [{ n: 1, status: 200, error: null }] });
  });

  it("is told for each way of enqueueing, and for each way to end", async () => {
    await using scene = await openScene(settings);
    await using receiver = await startReceiver();
    const callbackUrl = receiver.url;
    await using direct = await connect(scene.databases);
    await using http = await connect({ url: scene.url });
    const jobs = [];
    for (const podq of [direct, http]) {
      const pod = podq.pod({ conversation: `c${jobs.length}` });
      jobs.push(await pod.create({ callbackUrl }), await pod.exec("x", { callbackUrl }), await pod.delete({ callbackUrl }));
    }
    const stdin = { stream: true };
    const { body: streamed } = await exec(scene, { callbackUrl, stdin });
    const ids = [...jobs.map(({ id }) => id), String(streamed.id)];
    for (const id of ids) await direct.job(id).cancel({ reason: "enough" });
    const again = await direct.job(ids[1]!).retry();
    await again.cancel();
    await expect.poll(() => receiver.heard.length, patient).toBe(8);
    expect(receiver.heard.map(({ data }) => String(data.id)).toSorted(inOrder)).toEqual([...ids, again.id].toSorted(inOrder));
    expect(receiver.heard[0]!.data).toMatchObject({ state: "cancelled", error: { code: "cancelled", message: "enough" } });
    const late = await direct.pod({ project: "late" }).exec("x", { callbackUrl, deadlineMs: 1 });
    await expect.poll(async () => (await scene.store.jobs.expire(10)).length, patient).toBe(1);
    await expect.poll(() => receiver.heard.at(-1)!.data, patient).toMatchObject({ id: late.id, error: { code: "deadline-exceeded" } });
  });

  it("is told where a token says, signed with that token's key, unless the job names its own place", async () => {
    await using scene = await openScene(settings);
    await using theirs = await startReceiver();
    await using own = await startReceiver();
    const { text, token } = await scene.store.tokens.create({ label: "t", scope: "run", owners: [], callbackUrl: theirs.url });
    for (const more of [{}, { callbackUrl: own.url }]) {
      const { body } = await exec(scene, more, text);
      await scene.finish(String(body.id), 0, "");
    }
    for (const { heard } of [theirs, own]) {
      await expect.poll(() => heard.length, patient).toBe(1);
      const { body, headers } = heard[0]!;
      expect(() => new Webhook(signer.keyOf(null)).verify(body, headers)).toThrow("No matching signature");
      expect(new Webhook(signer.keyOf(token._id)).verify(body, headers)).toBeTruthy();
    }
  });

  it("is told where the token says, whatever kind of job it was", async () => {
    await using scene = await openScene(settings);
    await using receiver = await startReceiver();
    const { text: token, token: of } = await scene.store.tokens.create({ label: "t", scope: "run", owners: [], callbackUrl: receiver.url });
    const pod = "/v1/pods/project/p1";
    const asked = [
      await scene.ask("POST", "/v1/pods", { token, body: { owner: { project: "p1" } } }),
      await exec(scene, {}, token),
      await exec(scene, { stdin: { stream: true } }, token),
      ...(await Promise.all(["stop", "start", "restart"].map(async (verb) => scene.ask("POST", `${pod}/${verb}`, { token, body: {} })))),
      await scene.ask("DELETE", pod, { token }),
    ];
    for (const { status, body } of asked)
      expect([body.kind, status, (await scene.store.jobs.get(String(body.id)))?.callback]).toEqual([
        body.kind,
        202,
        expect.objectContaining({ url: receiver.url, token: of._id }),
      ]);
  });

  it("is told again until it is answered with 2xx, under one delivery id, and each try is kept", async () => {
    await using scene = await quietScene();
    await using receiver = await startReceiver(500, 302);
    const { body } = await exec(scene, { callbackUrl: receiver.url });
    await deliveries(scene);
    await scene.finish(String(body.id), 0, "");
    await expect.poll(async () => (await scene.store.jobs.get(String(body.id)))!.callback!.state, patient).toBe("delivered");
    expect(receiver.heard).toHaveLength(3);
    expect(new Set(receiver.heard.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(new Set(receiver.heard.map((one) => one.body)).size).toBe(1);
    const { log } = (await scene.store.jobs.get(String(body.id)))!.callback!;
    expect(log.map(({ n, status }) => [n, status])).toEqual([
      [1, 500],
      [2, 302],
      [3, 200],
    ]);
  });

  it("that nobody hears is given up in the end, with the reasons", async () => {
    await using scene = await quietScene();
    const receiver = await startReceiver();
    await receiver[Symbol.asyncDispose]();
    const { body } = await exec(scene, { callbackUrl: receiver.url });
    await scene.finish(String(body.id), 0, "");
    await deliveries(scene);
    const told = async () => (await scene.ask("GET", `/v1/jobs/${String(body.id)}`)).body.callback;
    await expect.poll(told, patient).toMatchObject({ state: "failed", tries: 4, nextAt: null });
    expect((await scene.store.jobs.get(String(body.id)))!.callback!.log[3]!.error).toContain("unreachable: connect ECONNREFUSED");
  });

  it("is told at least once when a sender dies between the request and its record", async () => {
    await using scene = await quietScene();
    await using receiver = await startReceiver();
    const { body } = await exec(scene, { callbackUrl: receiver.url });
    await scene.finish(String(body.id), 0, "");
    const stop = await deliveries(scene, { leaseMs: 500 }, dead);
    await expect.poll(() => receiver.heard.length, patient).toBe(1);
    await stop();
    await deliveries(scene);
    await expect.poll(() => receiver.heard.length, patient).toBe(2);
    expect(receiver.heard[0]!.headers["webhook-id"]).toBe(receiver.heard[1]!.headers["webhook-id"]);
    await expect
      .poll(async () => (await scene.store.jobs.get(String(body.id)))!.callback, patient)
      .toMatchObject({
        state: "delivered",
        log: [
          { n: 1, endedAt: null, status: null },
          { n: 2, status: 200 },
        ],
      });
  });

  it("is told once by several API processes together, all of what ended while none was there", async () => {
    await using scene = await quietScene();
    await using receiver = await startReceiver();
    const ids = await Promise.all(
      Array.from({ length: 60 }, async (_, n) => {
        const { body } = await scene.ask("POST", `/v1/pods/project/p${n}/exec`, { body: { command: "x", callbackUrl: receiver.url } });
        await scene.finish(String(body.id), 0, "");
        return String(body.id);
      }),
    );
    await Promise.all([deliveries(scene), deliveries(scene), deliveries(scene)]);
    const open = async () =>
      (await Promise.all(ids.map(scene.store.jobs.get))).filter((job) => job!.callback!.state !== "delivered").length;
    await expect.poll(open, { timeout: 25_000 }).toBe(0);
    expect(receiver.heard.map(({ data }) => String(data.id)).toSorted(inOrder)).toEqual(ids.toSorted(inOrder));
  });
});

describe("a callback", () => {
  it("is refused without a master key, and nothing is written", async () => {
    await using scene = await openScene();
    const { status, body } = await exec(scene, { callbackUrl: "https://example.com/" });
    expect([status, body]).toEqual([
      400,
      expect.objectContaining({ code: "invalid-request", detail: expect.stringContaining("PODQ_WEBHOOK_KEY") as string }),
    ]);
    await using direct = await connect(scene.databases);
    await expect(direct.pod({ project: "p" }).create({ callbackUrl: "https://example.com/" })).rejects.toMatchObject({
      code: "invalid-request",
    });
    expect(await scene.store.jobs.list({}, 10)).toEqual([]);
  });

  it.each(["http://127.0.0.1/", "http://[::1]:8080/", "http://localhost/", "http://169.254.169.254/latest", "http://[::ffff:10.0.0.1]/"])(
    "to %s is refused where it is enqueued",
    async (callbackUrl) => {
      await using scene = await openScene({ PODQ_WEBHOOK_KEY: master });
      const { status, body } = await exec(scene, { callbackUrl });
      expect([status, body.detail]).toEqual([400, expect.stringContaining("PODQ_WEBHOOK_ALLOW")]);
      expect(await scene.store.jobs.list({}, 10)).toEqual([]);
    },
  );
});
