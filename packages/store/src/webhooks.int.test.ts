import { randomBytes } from "node:crypto";
import { parseRequest, type JobRequest } from "@podq/jobs";
import { describe, expect, inject, it } from "vitest";
import { openStore, type Store } from "./store.ts";

async function open(): Promise<Store & AsyncDisposable> {
  const uri = new URL(inject("services").mongodbUri);
  uri.pathname = `/t${randomBytes(6).toString("hex")}`;
  const store = await openStore({ uri: uri.href, appName: "podq-test" });
  return { ...store, [Symbol.asyncDispose]: store.close };
}

const url = "https://hooks.example:8443/podq?x=1";
const exec = (options: object = { callbackUrl: url }, params: object = {}): JobRequest =>
  parseRequest("exec", { owner: { project: "p" }, params: { command: "ls", ...params }, ...options });
const succeeded = { state: "succeeded", result: null, error: null, why: "done" } as const;
const leaseMs = 60_000;

async function ended(store: Store, id: string, request = exec()): Promise<void> {
  const { job } = await store.jobs.insert(id, request);
  await store.jobs.claim(job, "w", leaseMs, null);
  await store.jobs.end({ id, attempt: 1 }, succeeded);
}

const ends: [string, (store: Store) => Promise<unknown>][] = [
  ["its end", async (store) => ended(store, "a")],
  [
    "its cancel in line",
    async (store) => {
      await store.jobs.insert("a", exec());
      await store.jobs.cancel("a", "no need");
    },
  ],
  [
    "its deadline",
    async (store) => {
      await store.jobs.insert("a", exec({ callbackUrl: url, deadlineMs: 1 }));
      await expect.poll(async () => (await store.jobs.expire(10)).length).toBe(1);
    },
  ],
  [
    "its refusal",
    async (store) => {
      const callback = { url, token: null };
      const address = { kind: "exec", owner: { project: "p" }, name: "default", callback } as const;
      await store.jobs.refuse("a", address, { code: "invalid-request", message: "no" }, "7");
    },
  ],
];

describe("the delivery of a job's end", () => {
  it.each(ends)("is due by the very write that is %s", async (_, end) => {
    await using store = await open();
    await end(store);
    const { callback, version, history } = (await store.jobs.get("a"))!;
    expect(callback).toMatchObject({ url, origin: "https://hooks.example:8443", state: "pending", tries: 0, log: [] });
    expect(callback!.dueAt).toBeInstanceOf(Date);
    expect(history.at(-1)!.version).toBe(version);
    expect(await store.webhooks.take(leaseMs)).toMatchObject({ _id: "a", callback: { tries: 1, id: callback!.id } });
  });

  it("is not due before the end, nor by a retry", async () => {
    await using store = await open();
    const { job } = await store.jobs.insert("a", exec());
    await store.jobs.claim(job, "w", leaseMs, null);
    await store.jobs.retry({ id: "a", attempt: 1 }, 0, "no way");
    expect(await store.webhooks.take(leaseMs)).toBeNull();
    expect((await store.jobs.get("a"))!.callback).toMatchObject({ state: "waiting", dueAt: null });
  });

  it("costs a job without a callback nothing: no field, and no entry in the index", async () => {
    await using store = await open();
    await ended(store, "a", exec({}));
    expect(await store.jobs.get("a")).not.toHaveProperty("callback");
    expect(await store.webhooks.take(leaseMs)).toBeNull();
  });

  it("is taken by one of many, and by another when its lease is over", async () => {
    await using store = await open();
    await ended(store, "a");
    const takes = await Promise.all(Array.from({ length: 10 }, async () => store.webhooks.take(300)));
    const [first, ...more] = takes.filter((one) => one !== null);
    expect([first!.callback.tries, more]).toEqual([1, []]);
    await expect.poll(async () => (await store.webhooks.take(leaseMs))?.callback.tries ?? null).toBe(2);
    const late = { status: 200, error: null, state: "delivered", retryInMs: null } as const;
    expect(await store.webhooks.record(first!, late)).toBe(false);
    expect((await store.jobs.get("a"))!.callback).toMatchObject({
      state: "pending",
      log: [
        { n: 1, endedAt: null },
        { n: 2, endedAt: null },
      ],
    });
  });

  it("keeps what came of each try, is due again after the delay, and then no more", async () => {
    await using store = await open();
    await ended(store, "a");
    const first = (await store.webhooks.take(leaseMs))!;
    await store.webhooks.record(first, { status: 500, error: "$not a field", state: "pending", retryInMs: 1 });
    await expect.poll(async () => (await store.webhooks.take(leaseMs))?.callback.tries ?? null).toBe(2);
    const second = (await store.jobs.get("a")) as typeof first;
    expect(await store.webhooks.record(second, { status: 204, error: null, state: "delivered", retryInMs: null })).toBe(true);
    const { callback } = (await store.jobs.get("a"))!;
    expect(callback).toMatchObject({ state: "delivered", dueAt: null, tries: 2 });
    expect(callback!.log).toMatchObject([
      { n: 1, status: 500, error: "$not a field", endedAt: expect.any(Date) as Date },
      { n: 2, status: 204, error: null, endedAt: expect.any(Date) as Date },
    ]);
    expect(await store.webhooks.take(leaseMs)).toBeNull();
  });

  it("to an origin that is kept waiting does not keep others waiting", async () => {
    await using store = await open();
    await ended(store, "a");
    await ended(store, "b", exec({ callbackUrl: "https://other.example/" }));
    expect((await store.webhooks.take(leaseMs, ["https://hooks.example:8443"]))?._id).toBe("b");
    expect(await store.webhooks.take(leaseMs, ["https://hooks.example:8443"])).toBeNull();
  });
});

it("how webhooks are to be is what the API said last", async () => {
  await using store = await open();
  expect(await store.webhooks.settings()).toEqual({ on: false, allow: [] });
  await store.webhooks.configure({ on: true, allow: ["10.0.0.0/8"] });
  expect(await store.webhooks.settings()).toEqual({ on: true, allow: ["10.0.0.0/8"] });
});
