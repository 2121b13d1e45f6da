// What holds for the SDK whichever way it goes: straight to Redis and MongoDB, or over HTTP.
import { connect, PodqError, type JobStatus, type Podq } from "@podq/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openScene, type Scene } from "./testing.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(async () => scene[Symbol.asyncDispose]());

async function* failing(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("x");
  await Promise.reject(new Error("the disk is gone"));
}

describe.each<[string, () => Promise<Podq>]>([
  ["to the databases", async () => connect(scene.databases)],
  ["over HTTP", async () => connect({ url: scene.url, token: await scene.token("run") })],
])("the SDK %s", (way, open) => {
  let podq: Podq;
  beforeAll(async () => {
    podq = await open();
  });
  afterAll(async () => podq.close());
  const project = (name: string): { project: string } => ({ project: `${way.replaceAll(" ", "-")}-${name}` });

  it("accepts jobs and tells where they stand, with dates", async () => {
    const pod = podq.pod(project("a"));
    const made = await pod.create({ image: "x:1", labels: { team: "a" }, deadlineMs: 60_000 });
    const job = await pod.exec(["true"], { env: { A: "1" }, timeoutMs: 1_000 });
    expect(await made.status()).toMatchObject({ kind: "create", state: "queued", position: 0, owner: project("a"), labels: { team: "a" } });
    const status = await job.status();
    expect(status).toMatchObject({ id: job.id, kind: "exec", position: 1, attempts: [], error: null, run: 1 });
    expect(status.createdAt).toBeInstanceOf(Date);
    expect(await scene.store.jobs.get(job.id)).toMatchObject({ params: { env: { A: "1" }, timeoutMs: 1_000, command: ["true"] } });
    const gone = await pod.delete({ cancelPending: true, labels: { by: "me" } });
    expect(await scene.store.jobs.get(gone.id)).toMatchObject({ params: { cancelPending: true }, labels: { by: "me" } });
    expect(await pod.get()).toBeNull();
  });

  it.for(["stop", "start", "restart"] as const)("accepts a %s, and refuses what it does not know", async (verb) => {
    const pod = podq.pod(project(verb));
    const job = await pod[verb]({ timeoutMs: 60_000, labels: { by: "me" }, idempotencyKey: "once" });
    expect(await job.status()).toMatchObject({ kind: verb, state: "queued", position: 0, labels: { by: "me" } });
    expect(await scene.store.jobs.get(job.id)).toMatchObject({ kind: verb, params: { timeoutMs: 60_000 } });
    expect((await pod[verb]({ timeoutMs: 60_000, labels: { by: "me" }, idempotencyKey: "once" })).id).toBe(job.id);
    await expect(pod[verb]({ timeoutMs: 0 })).rejects.toMatchObject({ code: "invalid-request" });
  });

  it("exposes, unexposes and waits for ports as jobs, and refuses what is none", async () => {
    const pod = podq.pod(project("ports"));
    const ports = [{ name: "web", port: 3000 }];
    const made = await pod.create({ ports, access: "clusterIP" });
    expect(await scene.store.jobs.get(made.id)).toMatchObject({ params: { ports, access: "clusterIP" } });
    const exposed = await pod.expose({ port: 4000, name: "api", idempotencyKey: "once" });
    expect(await exposed.status()).toMatchObject({ kind: "expose", state: "queued", position: 1 });
    expect(await scene.store.jobs.get(exposed.id)).toMatchObject({ params: { port: 4000, name: "api" } });
    const gone = await pod.unexpose("api", { timeoutMs: 1_000 });
    expect(await scene.store.jobs.get(gone.id)).toMatchObject({ kind: "unexpose", params: { name: "api", timeoutMs: 1_000 } });
    await expect(pod.create({ ports: [{ name: "X", port: 1 }] })).rejects.toMatchObject({ code: "invalid-request" });
    await expect(pod.expose({ port: 0 })).rejects.toMatchObject({ code: "invalid-request" });
    await expect(pod.unexpose("")).rejects.toMatchObject({ code: "invalid-request" });
    await expect(pod.waitForPort(65_536)).rejects.toMatchObject({ code: "invalid-request" });

    const other = podq.pod(project("waits"));
    const waiting = other.waitForPort(8080, { timeoutMs: 5_000 });
    const jobs = async (): Promise<JobStatus[]> => Array.fromAsync(podq.jobs(project("waits")), ({ at }) => at);
    await expect.poll(jobs).toMatchObject([{ kind: "exec" }]);
    const [{ id }] = (await jobs()) as [JobStatus];
    expect(await scene.store.jobs.get(id)).toMatchObject({ params: { timeoutMs: 5_000, parallel: true, retryable: true } });
    await scene.finish(id, 0, "");
    await waiting;
  });

  it("takes how and when a pod ends by itself, and extends none that is not there", async () => {
    const pod = podq.pod(project("ends"));
    const made = await pod.create({ ttlMs: 600_000, idleAfterMs: 60_000, onIdle: "delete" });
    expect(await scene.store.jobs.get(made.id)).toMatchObject({ params: { ttlMs: 600_000, idleAfterMs: 60_000, onIdle: "delete" } });
    await expect(pod.create({ idleAfterMs: 1 })).rejects.toMatchObject({ code: "invalid-request" });
    await expect(pod.extend({ ttlMs: 1 })).rejects.toMatchObject({ code: "not-found" });
    await expect(pod.extend({ ttlMs: 0 })).rejects.toMatchObject({ code: "invalid-request" });
  });

  it("tells of the hosts, and how many pods each has", async () => {
    const settings = { address: "10.0.0.1", port: 22, username: "u", labels: { zone: "z" }, weight: 2, capacity: 9, drained: true };
    const seen = { ...settings, whenDown: "wait" as const, cluster: "uid" };
    await scene.store.hosts.saw("eu", { ...seen, up: true, error: null });
    await scene.store.hosts.saw("eu", { ...seen, up: false, error: { code: "host-unreachable", message: "it is away" } });
    const [host, ...more] = await podq.hosts();
    expect(more).toEqual([]);
    const error = { code: "host-unreachable", message: "it is away", at: expect.any(Date) as Date };
    const times = { seenAt: expect.any(Date) as Date, lookedAt: expect.any(Date) as Date };
    expect(host).toEqual({ name: "eu", ...settings, whenDown: "wait", network: null, pods: 0, up: false, error, ...times });
  });

  it("takes the labels of the host that a pod is to be placed on", async () => {
    const made = await podq.pod(project("placed")).create({ placement: { labels: { zone: "z" } } });
    expect(await scene.store.jobs.get(made.id)).toMatchObject({ params: { placement: { labels: { zone: "z" } } } });
  });

  it("gives results with bytes, in any process", async () => {
    const job = await podq.pod(project("b")).exec("x");
    const waiting = podq.job(job.id).result({ timeoutMs: 20_000 });
    await scene.finish(job.id, 3, "hello");
    const result = (await waiting) as Awaited<ReturnType<typeof job.result>>;
    expect(result).toMatchObject({ exitCode: 3, stdoutBytes: 5, truncated: false, durationMs: 0 });
    expect(result.stdout.text()).toBe("hello");
    expect(result.startedAt).toBeInstanceOf(Date);
  });

  it("throws what a job failed of, in the same words", async () => {
    const pod = podq.pod(project("c"));
    const job = await pod.exec("x");
    await job.cancel({ reason: "no need" });
    await expect(job.result()).rejects.toMatchObject({
      name: "JobError",
      code: "cancelled",
      message: "no need",
      state: "cancelled",
      jobId: job.id,
    });
    await expect(job.result({ timeoutMs: 5_000 })).rejects.toMatchObject({ code: "cancelled" });
    await expect(podq.job("none").status()).rejects.toMatchObject({ name: "PodqError", code: "not-found" });
    await expect(pod.exec([])).rejects.toMatchObject({ code: "invalid-request" });
    expect(() => podq.pod({})).toThrow(PodqError);
    await pod.exec("y", { idempotencyKey: "k" });
    await expect(pod.exec("z", { idempotencyKey: "k" })).rejects.toMatchObject({ code: "conflict" });
    const waiting = await pod.exec("x");
    await expect(waiting.result({ timeoutMs: 100 })).rejects.toMatchObject({ name: "TimeoutError" });
  });

  it("follows a job and its output to their end", async () => {
    const job = await podq.pod(project("d")).exec("x");
    const seen: JobStatus[] = [];
    const subscription = podq.job(job.id).subscribe((status) => seen.push(status));
    const output = Array.fromAsync(podq.job(job.id).output({ from: { stdout: 2 } }));
    await expect.poll(() => seen.map(({ state }) => state), { timeout: 10_000 }).toEqual(["queued"]);
    await scene.finish(job.id, 0, "abcdef");
    await subscription.done;
    expect(seen.at(-1)).toMatchObject({ state: "succeeded", attempts: [{ n: 1, worker: "worker", why: "done" }] });
    expect((await output).map(({ stream, offset, data }) => [stream, offset, data.toString()])).toEqual([["stdout", 2, "cdef"]]);
    expect(await Array.fromAsync(job.output({ follow: false, from: { stdout: 6 } }))).toEqual([]);
  });

  it("lists pods and jobs, and tries a job again", async () => {
    const pod = podq.pod(project("e"));
    const [one, two] = [await pod.exec("1", { env: { A: "x" } }), await pod.exec("2")];
    expect((await Array.fromAsync(podq.jobs(project("e")))).map(({ id }) => id)).toEqual([two.id, one.id]);
    expect(await Array.fromAsync(podq.jobs({ ...project("e"), state: "lost" }))).toEqual([]);
    expect(await Array.fromAsync(podq.pods({ ...project("e"), status: "running", labels: { a: "b" } }))).toEqual([]);
    await one.cancel();
    await expect(one.retry()).rejects.toMatchObject({ code: "invalid-request", message: expect.stringContaining("A") as string });
    const again = await one.retry({ env: { A: "y" } });
    expect(await again.status()).toMatchObject({ retryOf: one.id, state: "queued" });
    await expect(again.signal("SIGINT")).rejects.toMatchObject({ code: "conflict" });
  });

  it("passes standard input on, whole or as a stream", async () => {
    const pod = podq.pod(project("f"));
    const whole = await pod.exec("cat", { stdin: new Uint8Array([0, 255]) });
    expect(Buffer.concat(await Array.fromAsync(scene.store.input.read(whole.id)))).toEqual(Buffer.from([0, 255]));
    const more = Promise.withResolvers<void>();
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from("one ");
      await more.promise;
      yield Buffer.from("two");
    };
    const streamed = await pod.exec("cat", { stdin: source() });
    const stored = async (): Promise<string> => Buffer.concat(await Array.fromAsync(scene.store.input.read(streamed.id))).toString();
    await expect.poll(stored, { timeout: 10_000 }).toBe("one ");
    more.resolve();
    await expect.poll(stored, { timeout: 10_000 }).toBe("one two");
    const failed = await pod.exec("cat", { stdin: failing() });
    await expect(failed.result({ timeoutMs: 20_000 })).rejects.toMatchObject({
      state: "cancelled",
      message: expect.stringContaining("standard input failed") as string,
    });
  });
});

describe("over HTTP alone", () => {
  it("a token that is none, and an API that is not there, are told from each other", async () => {
    await scene.token("run");
    await expect(connect({ url: scene.url, token: "podq_wrong" })).rejects.toMatchObject({ code: "forbidden" });
    await expect(connect({ url: "nowhere" })).rejects.toMatchObject({ code: "invalid-request" });
  });
});
