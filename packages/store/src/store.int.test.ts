import { randomBytes } from "node:crypto";
import { parseRequest, podKey, type JobRequest } from "@podq/jobs";
import mongoose from "mongoose";
import { describe, expect, inject, it } from "vitest";
import { jobSchema, type JobDocument } from "./job-schema.ts";
import { openStore, type Store } from "./store.ts";

const uriOf = (database: string): string => {
  const uri = new URL(inject("services").mongodbUri);
  uri.pathname = `/${database}`;
  return uri.href;
};

async function open(options: { maxBacklog?: number } = {}): Promise<Store & AsyncDisposable & { uri: string }> {
  const uri = uriOf(`t${randomBytes(6).toString("hex")}`);
  const store = await openStore({ uri, appName: "podq-test", ...options });
  return { ...store, uri, [Symbol.asyncDispose]: store.close };
}

const owner = { project: "p" };
const key = podKey(owner);
const exec = (extra: object = {}, options: object = {}): JobRequest =>
  parseRequest("exec", { owner, params: { command: "ls", ...extra }, ...options });
const leaseMs = 60_000;
const succeeded = { state: "succeeded", result: null, error: null, why: "done" } as const;

describe("a claim", () => {
  it("is won by one of many, and counts the attempt", async () => {
    await using store = await open();
    const { job } = await store.jobs.insert("a", exec());
    const claims = await Promise.all(Array.from({ length: 10 }, async (_, n) => store.jobs.claim(job, `w${n}`, leaseMs, null)));
    expect(claims.filter((claim) => claim !== null)).toHaveLength(1);
    expect((await store.jobs.get("a"))!.attempt).toBe(1);
  });

  it("keeps two jobs of one pod apart, whatever the line says", async () => {
    await using store = await open();
    const [{ job: a }, { job: b }] = [await store.jobs.insert("a", exec()), await store.jobs.insert("b", exec())];
    const claims = await Promise.all([store.jobs.claim(b, "w", leaseMs, null), store.jobs.claim(a, "w", leaseMs, null)]);
    expect(claims.filter((claim) => claim !== null)).toHaveLength(1);
  });

  it("gives parallel execs a slot each, and an ordinary exec none while they run", async () => {
    await using store = await open();
    const parallel = await Promise.all(["a", "b", "c"].map(async (id) => store.jobs.insert(id, exec({ parallel: true }))));
    const { job: alone } = await store.jobs.insert("d", exec());
    for (const { job } of parallel) expect(await store.jobs.claim(job, "w", leaseMs, null)).not.toBeNull();
    expect(await store.jobs.claim(alone, "w", leaseMs, null)).toBeNull();
    for (const { job } of parallel) await store.jobs.end({ id: job._id, attempt: 1 }, succeeded);
    expect(await store.jobs.claim(alone, "w", leaseMs, null)).not.toBeNull();
  });

  it("of a job whose lease is over takes it over with its turn, and the first attempt's words are void", async () => {
    await using store = await open();
    const { job } = await store.jobs.insert("a", exec());
    const first = (await store.jobs.claim(job, "w1", 1, null))!;
    await expect.poll(async () => (await store.jobs.claim(job, "w2", leaseMs, null))?.attempt ?? 0).toBe(2);
    const stale = { id: "a", attempt: 1 };
    expect(await store.jobs.end(stale, succeeded)).toBe(false);
    expect(await store.jobs.retry(stale, 0, "x")).toBeNull();
    expect(await store.jobs.retarget(stale, { podName: "x", podUid: "y" })).toBe(false);
    const now = (await store.jobs.get("a"))!;
    expect(now).toMatchObject({ state: "running", worker: "w2", turn: first.turn });
    expect(now.attempts.map(({ why }) => why)).toEqual(["the lease ran out", null]);
  });

  it("waits for the delay of a retry, and a retry keeps the place in line", async () => {
    await using store = await open();
    const { job } = await store.jobs.insert("a", exec());
    await store.jobs.insert("b", exec());
    await store.jobs.claim(job, "w", leaseMs, null);
    await store.jobs.retry({ id: "a", attempt: 1 }, 60_000, "no way");
    expect(await store.jobs.claim(job, "w", leaseMs, null)).toBeNull();
    expect((await store.jobs.head(key)).map(({ _id }) => _id)).toEqual(["a"]);
  });
});

const own = (id: string, options: object = {}): JobRequest =>
  parseRequest("exec", { owner: { project: id }, params: { command: "ls" }, ...options });

describe("what comes at the same time", () => {
  const many = Array.from({ length: 60 }, (_, n) => `many${n}`);
  it("is accepted each for itself, and has a place in line of its own", async () => {
    await using store = await open();
    await store.jobs.insert("first", own("many7", { idempotencyKey: "k" }));
    const inserts = many.map(async (id) => store.jobs.insert(id, own(id, { idempotencyKey: "k", labels: { id } })));
    const accepted = (await Promise.allSettled(inserts)).map((one) =>
      one.status === "fulfilled" ? one.value.job._id : String(one.reason),
    );
    expect(accepted.filter((_, n) => n !== 7)).toEqual(many.filter((_, n) => n !== 7));
    expect(accepted[7]).toBe("first"); // the same request under the same key
    const places = (await Promise.all(many.map(store.jobs.get))).flatMap((job) => (job === null ? [] : [job.seq.toBigInt()]));
    expect(new Set(places).size).toBe(many.length - 1);
    expect(places).not.toContain(0n);
  });

  it("is claimed once, and ended by who holds it", async () => {
    await using store = await open();
    await Promise.all(many.map(async (id) => store.jobs.insert(id, own(id))));
    const claimAll = async (worker: string) =>
      Promise.all(many.map(async (id) => store.jobs.claim({ _id: id, podKey: podKey({ project: id }) }, worker, leaseMs, null)));
    const [one, two] = await Promise.all([claimAll("w"), claimAll("w")]); // one worker twice: its name does not tell the two apart
    expect(many.map((_, n) => [one[n], two[n]].filter((job) => job !== null).map((job) => [job!._id, job!.attempt]))).toEqual(
      many.map((id) => [[id, 1]]),
    );
    const attempts = many.map((_, n) => (n % 10 === 0 ? 2 : 1)); // there is no second one
    const ends = await Promise.all(many.map(async (id, n) => store.jobs.end({ id, attempt: attempts[n]! }, succeeded)));
    expect(ends).toEqual(attempts.map((attempt) => attempt === 1));
    expect((await Promise.all(many.map(store.jobs.get))).filter((job) => job?.state === "succeeded")).toHaveLength(54);
  });

  it("ends each for itself, though one of them cannot", async () => {
    await using store = await open();
    await Promise.all(many.map(async (id) => store.jobs.insert(id, own(id))));
    await Promise.all(many.map(async (id) => store.jobs.claim({ _id: id, podKey: podKey({ project: id }) }, "w", leaseMs, null)));
    const connection = await mongoose.createConnection(store.uri).asPromise();
    await connection.db!.collection<JobDocument>("jobs").updateOne({ _id: "many7" }, { $set: { attempts: "broken" as never } });
    await connection.close();
    const ends = await Promise.allSettled(many.map(async (id) => store.jobs.end({ id, attempt: 1 }, succeeded)));
    expect(ends.flatMap((end, n) => (end.status === "fulfilled" && end.value ? [] : [many[n]]))).toEqual(["many7"]);
  });

  it("is seen by the line it is in", async () => {
    await using store = await open();
    await Promise.all(many.map(async (id) => store.jobs.insert(id, own(id))));
    const heads = await Promise.all([...many, "nobody"].map(async (id) => store.jobs.head(podKey({ project: id }))));
    expect(heads.map((head) => head.map(({ _id }) => _id))).toEqual([...many.map((id) => [id]), []]);
    expect(await Promise.all(["nobody", ...many].map(async (id) => store.jobs.unfinished(podKey({ project: id }))))).toEqual([
      0,
      ...many.map(() => 1),
    ]);
  });
});

describe("an accepted job", () => {
  it("is itself when it is inserted again", async () => {
    await using store = await open();
    const { job: first } = await store.jobs.insert("a", exec());
    expect((await store.jobs.insert("a", exec())).job._id).toBe(first._id);
    expect(await store.jobs.list({ podKey: key }, 10)).toHaveLength(1);
  });

  it("is found by its idempotency key, unless the request is another", async () => {
    await using store = await open();
    await store.jobs.insert("a", exec({ env: { A: "1", B: "2" } }, { idempotencyKey: "k" }));
    expect((await store.jobs.insert("b", exec({ env: { B: "2", A: "1" } }, { idempotencyKey: "k" }))).job._id).toBe("a");
    await expect(store.jobs.insert("c", exec({ env: { A: "1", B: "3" } }, { idempotencyKey: "k" }))).rejects.toMatchObject({
      code: "conflict",
    });
    expect(await store.jobs.get("c")).toBeNull();
  });

  it("is refused when the pod's line is full, and nothing is written", async () => {
    await using store = await open({ maxBacklog: 2 });
    for (const id of ["a", "b"]) await store.jobs.insert(id, exec());
    await expect(store.jobs.insert("c", exec())).rejects.toMatchObject({ code: "backlog-full" });
    expect(await store.jobs.get("c")).toBeNull();
    expect((await store.jobs.insert("a", exec())).job._id).toBe("a");
  });

  it("loses its secrets at its end, and nothing else", async () => {
    await using store = await open();
    const { job } = await store.jobs.insert("a", exec({ env: { TOKEN: "hunter2" } }));
    await store.jobs.claim(job, "w", leaseMs, null);
    expect(await store.jobs.end({ id: "a", attempt: 1 }, succeeded)).toBe(true);
    const ended = (await store.jobs.get("a"))!;
    expect(JSON.stringify(ended)).not.toContain("hunter2");
    expect(ended.params).toMatchObject({ command: "ls" });
    expect(ended.turn).toBeUndefined();
    expect(ended.expiresAt).toBeInstanceOf(Date);
  });

  it("is at each step of its life what its schema says, which its writes do not ask", async () => {
    await using store = await open();
    const Schema = mongoose.model<JobDocument>("Checked", jobSchema);
    const faults = async (): Promise<unknown> => new Schema((await store.jobs.get("a"))!).validate().catch((error: unknown) => error);
    const { job } = await store.jobs.insert("a", exec({ env: { A: "1" } }, { idempotencyKey: "k", labels: { a: "b" } }));
    expect(await faults()).toBeUndefined();
    await store.jobs.claim(job, "w", leaseMs, { podName: "ws", podUid: "u" });
    await store.jobs.signal("a", "SIGINT");
    await store.jobs.retry({ id: "a", attempt: 1 }, 0, "again");
    expect(await faults()).toBeUndefined();
    await store.jobs.cancel("a", "stop");
    await store.jobs.claim(job, "w", leaseMs, null);
    expect(await faults()).toBeUndefined();
    await store.jobs.end(
      { id: "a", attempt: 2 },
      { state: "failed", result: { exitCode: 1 }, error: { code: "internal", message: "x" }, why: "y" },
    );
    expect(await faults()).toBeUndefined();
  });

  it("counts each change that a caller sees, and none that he does not", async () => {
    await using store = await open();
    const { job } = await store.jobs.insert("a", exec());
    await store.jobs.claim(job, "w", leaseMs, null);
    await store.jobs.renew("w", [{ id: "a", attempt: 1 }], leaseMs);
    await store.jobs.end({ id: "a", attempt: 1 }, succeeded);
    const ended = (await store.jobs.get("a"))!;
    expect(ended.version).toBe(3);
    expect(ended.history.map(({ version, state }) => [version, state])).toEqual([
      [1, "queued"],
      [2, "running"],
      [3, "succeeded"],
    ]);
  });

  it("keeps words that look like operators as they are", async () => {
    await using store = await open();
    const { job } = await store.jobs.insert("a", exec());
    await store.jobs.claim(job, "$$NOW", leaseMs, null);
    const error = { code: "internal", message: "$state { $gt: 1 }" } as const;
    await store.jobs.end({ id: "a", attempt: 1 }, { state: "failed", result: { $x: "$y" }, error, why: "$$ROOT" });
    const ended = (await store.jobs.get("a"))!;
    expect(ended).toMatchObject({ error, result: { $x: "$y" }, worker: "$$NOW" });
    expect(ended.attempts[0]!.why).toBe("$$ROOT");
  });
});

describe("a cancel", () => {
  it("ends a queued job, marks a running one, and leaves an ended one", async () => {
    await using store = await open();
    const { job: running } = await store.jobs.insert("a", exec());
    await store.jobs.insert("b", exec());
    await store.jobs.claim(running, "w", leaseMs, null);
    expect(await store.jobs.cancel("b", "no")).toMatchObject({ state: "cancelled", error: { message: "no" } });
    expect(await store.jobs.cancel("a", "stop")).toMatchObject({ state: "running", cancel: { reason: "stop" } });
    expect(await store.jobs.renew("w", [{ id: "a", attempt: 1 }], leaseMs)).toMatchObject([{ id: "a", cancel: { reason: "stop" } }]);
    expect(await store.jobs.retry({ id: "a", attempt: 1 }, 0, "again")).toBeNull();
    expect(await store.jobs.cancel("b", "again")).toMatchObject({ state: "cancelled", error: { message: "no" } });
    expect(await store.jobs.cancel("nobody", "x")).toBeNull();
  });

  it("does not end a queued job that may have left something running in its pod", async () => {
    await using store = await open();
    const { job } = await store.jobs.insert("a", exec());
    await store.jobs.claim(job, "w", leaseMs, { podName: "ws", podUid: "u" });
    await store.jobs.retry({ id: "a", attempt: 1 }, 0, "the way was lost");
    expect(await store.jobs.cancel("a", "stop")).toMatchObject({ state: "queued", cancel: { reason: "stop" } });
  });
});

describe("the sweeper's view", () => {
  it("has the heads that nobody runs, and not what waits behind them", async () => {
    await using store = await open();
    for (const id of ["a", "b"]) await store.jobs.insert(id, exec());
    const { job: held } = await store.jobs.insert("c", parseRequest("exec", { owner: { project: "q" }, params: { command: "ls" } }));
    await store.jobs.claim(held, "w", leaseMs, null);
    const parallel = parseRequest("exec", { owner: { project: "r" }, params: { command: "ls", parallel: true } });
    for (const id of ["d", "e"]) await store.jobs.insert(id, parallel);
    expect((await store.jobs.stranded()).map(({ _id }) => _id).toSorted()).toEqual(["a", "d", "e"]);
  });

  it("finds a job that nobody runs any more behind another that became visible later", async () => {
    await using store = await open();
    await store.jobs.insert("late", exec());
    const { job } = await store.jobs.insert("running", exec());
    await store.jobs.claim(job, "w", 1, null);
    await expect.poll(async () => (await store.jobs.stranded()).map(({ _id }) => _id).toSorted()).toEqual(["late", "running"]);
  });

  it("has those that ended without a worker, until it was said that BullMQ has them parked no more", async () => {
    await using store = await open();
    await store.jobs.insert("cancelled", exec());
    await store.jobs.insert("expired", exec({}, { deadlineMs: 1 }));
    await store.jobs.cancel("cancelled", "not wanted");
    await expect.poll(async () => store.jobs.expire(9)).toHaveLength(1);
    const ids = (await store.jobs.parked(9)).map(({ _id }) => _id);
    expect(ids.toSorted()).toEqual(["cancelled", "expired"]);
    await store.jobs.unparked(["expired"]);
    expect(await store.jobs.parked(9)).toMatchObject([{ _id: "cancelled" }]);
  });

  it("is one worker's at a time", async () => {
    await using store = await open();
    expect(await store.leases.take("sweeper", "w1", 300)).toBe(true);
    expect(await store.leases.take("sweeper", "w2", 300)).toBe(false);
    expect(await store.leases.take("sweeper", "w1", 300)).toBe(true);
    await expect.poll(async () => store.leases.take("sweeper", "w2", 300)).toBe(true);
  });
});

const piece = (offset: number, text: string) => ({ stream: "stdout" as const, offset, data: Buffer.from(text) });

describe("output chunks", () => {
  it("are read from any byte on, and stored once", async () => {
    await using store = await open();
    expect(await store.output.append("a", 1, [piece(0, "hello "), piece(6, "world")])).toBe(true);
    expect(await store.output.append("a", 1, [piece(6, "again")])).toBe(false);
    const text = async (from: number) =>
      Buffer.concat((await store.output.read("a", 1, "stdout", from, 1_000)).map(({ data }) => data)).toString();
    expect(await text(0)).toBe("hello world");
    expect(await text(3)).toBe("lo world");
    expect(await text(6)).toBe("world");
    expect(await text(11)).toBe("");
    expect(await store.output.size("a", 1, "stdout")).toBe(11);
    expect(await store.output.size("a", 2, "stdout")).toBe(0);
  });
});

describe("opening the store", () => {
  it("is refused by data of a later version", async () => {
    await using store = await open();
    const connection = await mongoose.createConnection(store.uri).asPromise();
    await connection.db!.collection<{ _id: string }>("meta").updateOne({ _id: "data" }, { $set: { version: 99 } });
    await connection.close();
    await expect(openStore({ uri: store.uri, appName: "x" })).rejects.toMatchObject({
      code: "unfit",
      message: expect.stringContaining("version 99") as string,
    });
  });

  it("brings the data of the version before it along, with the line as it was, unless workers of that version are at it", async () => {
    const first = await open();
    await first.leases.take("sweeper", "a worker", 2_000);
    for (const id of ["a", "b"]) await first.jobs.insert(id, exec());
    await first.close();
    const raw = await mongoose.createConnection(first.uri).asPromise();
    await raw.collection("jobs").updateMany({}, { $unset: { line: 1, ticket: 1 } });
    await raw.collection("meta").updateOne({}, { $set: { version: 1 } });
    await raw.close();
    const opened = async () => openStore({ uri: first.uri, appName: "podq-test" });
    await expect(opened()).rejects.toMatchObject({ code: "unfit", message: expect.stringContaining("stop them") as string });
    const later = async () => opened().catch(() => null);
    let store: Store = null!;
    await expect.poll(async () => (store = (await later())!), { timeout: 15_000 }).not.toBeNull();
    expect((await store.jobs.head(key)).map(({ _id }) => _id)).toEqual(["a"]);
    expect(await store.jobs.unfinished(key)).toBe(2);
    await store.close();
  });

  it("is refused by an index that does not keep what podq needs kept", async () => {
    const uri = uriOf(`t${randomBytes(6).toString("hex")}`);
    const connection = await mongoose.createConnection(uri).asPromise();
    await connection.db!.collection("jobs").createIndex({ turn: 1 }, { name: "turn" });
    await connection.close();
    await expect(openStore({ uri, appName: "x" })).rejects.toMatchObject({ code: "unfit" });
  });

  it("of a server that is not there says which setting to look at", async () => {
    await expect(openStore({ uri: "mongodb://127.0.0.1:1/x", appName: "x" })).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringContaining("MONGODB_URI") as string,
    });
    await expect(openStore({ uri: "http://x", appName: "x" })).rejects.toMatchObject({ code: "unfit" });
  });
});

describe("a standard input that is written piece by piece", () => {
  it("is read from any byte, until its end is there, and its beginning can go", async () => {
    await using store = await open();
    const { input } = store;
    expect([await input.pieceAt("j", 0), await input.begins("j"), await input.isWhole("j")]).toEqual([null, null, false]);
    for (const [offset, text] of [
      [0, "abc"],
      [3, "de"],
      [3, "de"],
    ] as const)
      await input.append("j", offset, Buffer.from(text));
    expect([await input.pieceAt("j", 2), await input.pieceAt("j", 3), await input.pieceAt("j", 5)]).toEqual([
      { offset: 0, data: Buffer.from("abc") },
      { offset: 3, data: Buffer.from("de") },
      null,
    ]);
    await input.append("j", 5, new Uint8Array());
    expect([await input.pieceAt("j", 4), await input.pieceAt("j", 5)]).toEqual([
      { offset: 3, data: Buffer.from("de") },
      { offset: 5, data: Buffer.alloc(0) },
    ]);
    expect(await input.isWhole("j")).toBe(true);
    await input.removeBefore("j", 2);
    expect(await input.begins("j")).toBe(0);
    await input.removeBefore("j", 4);
    expect(await input.begins("j")).toBe(3);
    await input.removeBefore("j", 5);
    expect([await input.begins("j"), await input.isWhole("j")]).toEqual([5, true]);
  });

  it("has a writer who is told when the job has ended", async () => {
    await using store = await open();
    const { job } = await store.jobs.insert("a", { ...exec(), stdin: "stream" });
    expect([job.stdinBeat, await store.jobs.beat("a"), (await store.jobs.get("a"))!.stdinBeat]).toEqual([0, true, 1]);
    await store.jobs.cancel("a", "enough");
    expect([await store.jobs.beat("a"), await store.jobs.beat("nobody")]).toEqual([false, false]);
  });
});
