import { randomBytes } from "node:crypto";
import { startMongo, startRedis } from "@podq/devstack";
import { openStore, type Store } from "@podq/store";
import { describe, expect, inject, it } from "vitest";
import { connect, type Podq } from "./connect.ts";
import type { JobStatus } from "./status.ts";

type Scene = AsyncDisposable & { podq: Podq; other: Podq; store: Store };

/** Two processes' worth of clients, and a store to play the worker with. */
async function open(redisUrl = inject("services").redisUrl): Promise<Scene> {
  const prefix = `t${randomBytes(6).toString("hex")}`;
  const uri = new URL(inject("services").mongodbUri);
  uri.pathname = `/${prefix}`;
  const mongodbUri = uri.href;
  const store = await openStore({ uri: mongodbUri, appName: "podq-test" });
  const [podq, other] = [await connect({ redisUrl, mongodbUri, prefix }), await connect({ redisUrl, mongodbUri, prefix })];
  return {
    podq,
    other,
    store,
    async [Symbol.asyncDispose]() {
      await Promise.all([podq.close(), other.close(), store.close()]);
    },
  };
}

const record = { exitCode: 3, signal: null, atLeast: false, truncated: false, leftRunning: 0, unverified: false, attached: 0, weaker: [] };
const times = { startedAt: new Date(1_000), endedAt: new Date(3_500) };

async function claim(store: Store, id: string): Promise<void> {
  await store.jobs.claim((await store.jobs.get(id))!, "worker", 60_000, null);
}

async function finish(store: Store, id: string): Promise<void> {
  const result = { ...record, stdoutBytes: 6, stderrBytes: 0, ...times };
  await store.jobs.end({ id, attempt: 1 }, { state: "succeeded", result, error: null, why: "done" });
}

describe("a result", () => {
  it("is found by another process, with bytes and times", async () => {
    await using scene = await open();
    const job = await scene.podq.pod({ project: "p" }).exec("x");
    const waiting = scene.other.job(job.id).result({ timeoutMs: 20_000 });
    await claim(scene.store, job.id);
    await scene.store.output.append(job.id, 1, [{ stream: "stdout", offset: 0, data: Buffer.from("hello\n") }]);
    await finish(scene.store, job.id);
    const result = await waiting;
    expect(result).toMatchObject({ exitCode: 3, durationMs: 2_500, stdoutBytes: 6 });
    expect("stdout" in result! && result.stdout.text()).toBe("hello\n");
  });

  it("that is not there in time ends the wait, and not the job", async () => {
    await using scene = await open();
    const job = await scene.podq.pod({ project: "p" }).exec("x");
    await expect(job.result({ timeoutMs: 50 })).rejects.toMatchObject({ name: "TimeoutError" });
    await expect(job.result({ signal: AbortSignal.abort(new Error("not now")) })).rejects.toThrow("not now");
    expect((await job.status()).state).toBe("queued");
  });

  it("of a lost exec is an error with what was seen of it", async () => {
    await using scene = await open();
    const job = await scene.podq.pod({ project: "p" }).exec("x");
    await claim(scene.store, job.id);
    await scene.store.output.append(job.id, 1, [{ stream: "stderr", offset: 0, data: Buffer.from("oh") }]);
    const result = { ...record, exitCode: null, stdoutBytes: 0, stderrBytes: 2, startedAt: null, endedAt: null };
    const error = { code: "outcome-unknown", message: "the pod does not answer" } as const;
    await scene.store.jobs.end({ id: job.id, attempt: 1 }, { state: "lost", result, error, why: "lost" });
    const thrown = (await job.result().catch((one: unknown) => one)) as { stderr: { text: () => string } };
    expect(thrown).toMatchObject({ name: "JobError", code: "outcome-unknown", state: "lost", retryable: false, exitCode: null });
    expect(thrown.stderr.text()).toBe("oh");
  });

  it("of an unknown job is not-found", async () => {
    await using scene = await open();
    await expect(scene.podq.job("nobody").result()).rejects.toMatchObject({ code: "not-found" });
    await expect(scene.podq.job("nobody").cancel()).rejects.toMatchObject({ code: "not-found" });
  });
});

describe("a subscription", () => {
  it("tells where the job stands now and each change up to its end, once", async () => {
    await using scene = await open();
    const job = await scene.podq.pod({ project: "p" }).exec("x");
    const seen: JobStatus[] = [];
    const { done } = scene.other.job(job.id).subscribe((status) => seen.push(status));
    await expect.poll(() => seen.length).toBe(1);
    await claim(scene.store, job.id);
    await expect.poll(() => seen.length, { timeout: 5_000 }).toBe(2);
    await finish(scene.store, job.id);
    await done;
    expect(seen.map(({ state, version }) => [state, version])).toEqual([
      ["queued", 1],
      ["running", 2],
      ["succeeded", 3],
    ]);
  });

  it("can be stopped", async () => {
    await using scene = await open();
    const job = await scene.podq.pod({ project: "p" }).exec("x");
    const seen: number[] = [];
    const subscription = job.subscribe(({ version }) => {
      seen.push(version);
      subscription.stop();
    });
    await subscription.done;
    await claim(scene.store, job.id);
    expect(seen).toEqual([1]);
  });
});

const piece = (offset: number, text: string) => ({ stream: "stdout" as const, offset, data: Buffer.from(text) });

describe("output", () => {
  it("is followed live to the end, and read again from any byte", async () => {
    await using scene = await open();
    const job = await scene.podq.pod({ project: "p" }).exec("x");
    await claim(scene.store, job.id);
    const put = async (stream: "stdout" | "stderr", offset: number, text: string) =>
      scene.store.output.append(job.id, 1, [{ stream, offset, data: Buffer.from(text) }]);
    await put("stdout", 0, "one ");
    const seen: string[] = [];
    const following = (async () => {
      for await (const { stream, data } of scene.other.job(job.id).output()) seen.push(`${stream}:${data.toString()}`);
    })();
    await expect.poll(() => seen).toEqual(["stdout:one "]);
    await put("stdout", 4, "two");
    await put("stderr", 0, "err");
    await finish(scene.store, job.id);
    await following;
    // Each stream in its order; which of the two comes first is not said.
    expect(seen.filter((one) => one.startsWith("stdout"))).toEqual(["stdout:one ", "stdout:two"]);
    expect(seen.filter((one) => one.startsWith("stderr"))).toEqual(["stderr:err"]);
    const again = await Array.fromAsync(job.output({ from: { stdout: 2, stderr: 3 } }));
    expect(again.map(({ offset, data }) => [offset, data.toString()])).toEqual([
      [2, "e "],
      [4, "two"],
    ]);
  });

  it("says when the command was started anew, and begins at its beginning again", async () => {
    await using scene = await open();
    const job = await scene.podq.pod({ project: "p" }).exec("x", { retryable: true });
    await claim(scene.store, job.id);
    await scene.store.output.append(job.id, 1, [piece(0, "first")]);
    const seen: object[] = [];
    const following = (async () => {
      for await (const { data, ...rest } of job.output()) seen.push({ ...rest, data: data.toString() });
    })();
    await expect.poll(() => seen, { timeout: 10_000 }).toHaveLength(1);
    await scene.store.jobs.restart({ id: job.id, attempt: 1 });
    await expect.poll(() => seen, { timeout: 10_000 }).toHaveLength(2);
    await scene.store.output.append(job.id, 2, [piece(0, "second")]);
    await finish(scene.store, job.id);
    await following;
    expect(seen).toEqual([
      { stream: "stdout", offset: 0, data: "first" },
      { stream: "stdout", offset: 0, data: "", restarted: true },
      { stream: "stdout", offset: 0, data: "second" },
    ]);
    expect((await job.status()).run).toBe(2);
  });

  it("says where it was not kept", async () => {
    await using scene = await open();
    const job = await scene.podq.pod({ project: "p" }).exec("x");
    await claim(scene.store, job.id);
    await scene.store.output.append(job.id, 1, [piece(0, "head"), piece(1_000, "tail")]);
    await finish(scene.store, job.id);
    const pieces = await Array.fromAsync(job.output({ from: { stdout: 500 } }));
    expect(pieces).toMatchObject([{ offset: 1_000, gap: { from: 500, to: 1_000 } }]);
  });
});

describe("an enqueue", () => {
  it("is accepted while Redis is away, and says who was told", async () => {
    const redis = await startRedis();
    await using scene = await open(redis.url);
    await redis.stop();
    const job = await scene.podq.pod({ project: "p" }).exec("x");
    expect(await scene.store.jobs.get(job.id)).toMatchObject({ state: "queued" });
  });

  it("with the same idempotency key is the first job again", async () => {
    await using scene = await open();
    const pod = scene.podq.pod({ project: "p" });
    const [one, two] = [await pod.exec("x", { idempotencyKey: "k" }), await pod.exec("x", { idempotencyKey: "k" })];
    expect(two.id).toBe(one.id);
    await expect(pod.exec("y", { idempotencyKey: "k" })).rejects.toMatchObject({ code: "conflict" });
  });

  it("tells the place in line", async () => {
    await using scene = await open();
    const pod = scene.podq.pod({ project: "p" });
    const jobs = [await pod.exec("x"), await pod.exec("y"), await pod.exec("z")];
    expect(await Promise.all(jobs.map(async (job) => (await job.status()).position))).toEqual([0, 1, 2]);
  });

  it.each([
    ["no owner", {}, "owner-missing"],
    ["an id that is no id", { project: "'; rm -rf /" }, "invalid-request"],
  ])("for %s is refused before anything is written", async (_what, address, code) => {
    await using scene = await open();
    expect(() => scene.podq.pod(address)).toThrow(expect.objectContaining({ code }) as Error);
  });
});

describe("a signal", () => {
  it("waits in the record for the running command's worker, and resolves with what became of it", async () => {
    await using scene = await open();
    const job = await scene.podq.pod({ project: "p" }).exec("x");
    await expect(job.signal("SIGINT")).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("queued") as string });
    await expect(job.signal("SIGSEGV" as never)).rejects.toMatchObject({ code: "invalid-request" });
    await claim(scene.store, job.id);
    const asked = [job.signal("SIGINT"), scene.other.job(job.id).signal("SIGHUP")];
    await expect.poll(async () => (await job.status()).signals).toHaveLength(2);
    const mine = { id: job.id, attempt: 1 };
    const [held] = await scene.store.jobs.renew("worker", [mine], 60_000);
    const int = held!.signals.find(({ signal }) => signal === "SIGINT")!;
    expect(held!.signals.map(({ n, answer }) => [n, answer])).toEqual([
      [1, null],
      [2, null],
    ]);
    expect(await scene.store.jobs.answerSignal(mine, int.n, "ignored")).toBe(true);
    expect(await asked[0]).toBe("ignored");
    await finish(scene.store, job.id);
    expect(await asked[1]).toBe("too-late");
    expect(await scene.store.jobs.answerSignal(mine, 2, "sent")).toBe(false);
    await expect(job.signal("SIGINT")).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("succeeded") as string });
  });
});

describe("a retry", () => {
  it("is the same request as a new job, once the first has ended, with what was not kept given again", async () => {
    await using scene = await open();
    const job = await scene.podq.pod({ project: "p", name: "gpu" }).exec(["x"], { env: { TOKEN: "1" }, stdin: "in", labels: { a: "b" } });
    await expect(job.retry()).rejects.toMatchObject({ code: "conflict" });
    await job.cancel();
    await expect(job.retry({ stdin: "in" })).rejects.toMatchObject({
      code: "invalid-request",
      message: expect.stringContaining("TOKEN") as string,
    });
    await expect(job.retry({ env: { TOKEN: "2" } })).rejects.toMatchObject({
      code: "invalid-request",
      message: expect.stringContaining("stdin") as string,
    });
    const again = await job.retry({ env: { TOKEN: "2" }, stdin: "in" });
    expect(await again.status()).toMatchObject({ state: "queued", retryOf: job.id, name: "gpu", labels: { a: "b" } });
    expect(await scene.store.jobs.get(again.id)).toMatchObject({ params: { command: ["x"], env: { TOKEN: "2" } }, stdinBytes: 2 });
  });
});

describe("lists", () => {
  it("show an owner's jobs, newest first, and no other's", async () => {
    await using scene = await open();
    const [a, b] = [scene.podq.pod({ project: "a" }), scene.podq.pod({ project: "a", name: "gpu" })];
    const ids = [(await a.exec("1")).id, (await b.exec("2")).id];
    await scene.podq.pod({ project: "ab" }).exec("3");
    const listed = await Array.fromAsync(scene.podq.jobs({ project: "a" }));
    expect(listed.map(({ id }) => id)).toEqual(ids.toReversed());
    expect((await Array.fromAsync(scene.podq.jobs({ project: "a", name: "gpu" }))).map(({ id }) => id)).toEqual([ids[1]]);
    expect(await Array.fromAsync(scene.podq.jobs({ state: "lost" }))).toEqual([]);
    await expect(Array.fromAsync(scene.podq.jobs({ name: "gpu" }))).rejects.toMatchObject({ code: "invalid-request" });
  });
});

describe("a MongoDB that goes away", () => {
  it("is unavailable to whoever waits for a result, reads output, subscribes or cancels", async () => {
    const mongo = await startMongo();
    const mongodbUri = mongo.uri.replace("/?", "/podq?");
    await using podq = await connect({ redisUrl: inject("services").redisUrl, mongodbUri, prefix: randomBytes(6).toString("hex") });
    const job = await podq.pod({ project: "p" }).exec("x");
    const heard = Promise.withResolvers<unknown>();
    job.subscribe(() => undefined, { onError: heard.resolve });
    const waiting = [job.result(), Array.fromAsync(job.output()), heard.promise.then((error) => Promise.reject(error as Error))];
    const met = Promise.allSettled(waiting);
    await mongo.kill();
    await expect(job.cancel()).rejects.toMatchObject({ name: "PodqError", code: "unavailable" });
    for (const outcome of await met) expect(outcome).toMatchObject({ reason: { name: "PodqError", code: "unavailable" } });
  });
});

describe("connecting", () => {
  it("to a Redis or a MongoDB that is not there names the setting", async () => {
    const { redisUrl, mongodbUri } = inject("services");
    await expect(connect({ redisUrl: "redis://127.0.0.1:1", mongodbUri })).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("REDIS_URL") as string,
    });
    await expect(connect({ redisUrl, mongodbUri: "mongodb://127.0.0.1:1/x" })).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("MONGODB_URI") as string,
    });
  });
});
