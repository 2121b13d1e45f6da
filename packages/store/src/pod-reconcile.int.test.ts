import { randomBytes } from "node:crypto";
import { parseRequest, podKey } from "@podq/jobs";
import { expect, inject, it } from "vitest";
import type { PodDocument } from "./pod-schema.ts";
import { toPodRecord, type NewPod } from "./pods.ts";
import { openStore, type Store } from "./store.ts";

const owner = { project: "p" };
const key = podKey(owner);
const leaseMs = 60_000;

const asNew = (namespace: string): NewPod => ({
  owner,
  name: "default",
  generation: 1,
  namespace,
  identity: {} as NewPod["identity"],
  image: "i",
  resources: { memory: "1Mi", cpu: "1m", memoryRequests: "1Mi", cpuRequests: "1m" },
  labels: {},
  host: { name: "h", address: "h", port: 22, username: "u" },
});

async function withPod(): Promise<Store & AsyncDisposable & { pod: PodDocument }> {
  const uri = new URL(inject("services").mongodbUri);
  uri.pathname = `/t${randomBytes(6).toString("hex")}`;
  const store = await openStore({ uri: uri.href, appName: "podq-test" });
  const made = (await store.pods.insert(key, asNew("n")))!;
  const pod = (await store.pods.patch(made, { status: "running", podUid: "a" }))!;
  return { ...store, pod, [Symbol.asyncDispose]: store.close };
}

const evicted = { code: "evicted" as const, message: "full", at: new Date(0) };

it("a reconciler's write is one that callers see, with the code of why in the history", async () => {
  await using store = await withPod();
  const written = (await store.reconcile.write(store.pod, { podUid: "b", cause: evicted }))!;
  expect(written).toMatchObject({ version: 3, podUid: "b" });
  const now = (await store.pods.get(key))!;
  expect(now).toMatchObject({ version: 3, status: "running", cause: evicted, reconciling: null });
  expect(now.history.map(({ status, code }) => [status, code])).toEqual([
    ["created", null],
    ["running", null],
    ["running", "evicted"],
  ]);
});

it("several patches are several moves, of which none is made that there is not", async () => {
  await using store = await withPod();
  const failed = (await store.pods.patch(store.pod, { status: "error" }))!;
  expect(await store.reconcile.write(failed, { status: "deleting" }, { status: "deleted" })).toMatchObject({ status: "deleted" });
  const gone = (await store.pods.get(key))!;
  expect(gone.history.map(({ status }) => status).slice(-2)).toEqual(["deleting", "deleted"]);
  expect(await store.reconcile.write(gone, { status: "running" })).toBeNull();
});

it("a record that has moved on since it was read is left alone", async () => {
  await using store = await withPod();
  await store.pods.patch(store.pod, { status: "stopped" });
  expect(await store.reconcile.write(store.pod, { status: "error" })).toBeNull();
  expect(await store.pods.get(key)).toMatchObject({ status: "stopped", reconciling: null });
});

it.each(["while it runs", "while it waits to be tried again, having begun"])("a pod is a job's alone %s", async (when) => {
  await using store = await withPod();
  const { job } = await store.jobs.insert("a", parseRequest("exec", { owner, params: { command: "ls" } }));
  await store.jobs.claim(job, "w", leaseMs, { podName: "p", podUid: "a" });
  if (when !== "while it runs") await store.jobs.retry({ id: "a", attempt: 1 }, 0, "x");
  expect(await store.reconcile.write(store.pod, { podUid: "b" })).toBeNull();
  expect(await store.pods.get(key)).toMatchObject({ podUid: "a", version: 2, reconciling: null });
});

it("of a job that begins and a reconciler that writes, at every interleaving, the job's read is the last before its own end", async () => {
  await using store = await withPod();
  for (let n = 0; n < 50; n++) {
    const { job } = await store.jobs.insert(`j${n}`, parseRequest("exec", { owner, params: { command: "ls" } }));
    const before = (await store.pods.get(key))!;
    const begin = async (): Promise<PodDocument> => {
      await store.jobs.claim(job, "w", leaseMs, null);
      const read = (await store.pods.get(key))!;
      return read.reconciling ? (await store.pods.settle(read))! : read;
    };
    const [held, written] = await Promise.all([begin(), store.reconcile.write(before, { podUid: `u${n}` })]);
    expect((await store.pods.get(key))!.podUid).toBe(held.podUid);
    expect(held.podUid).toBe(written === null ? before.podUid : `u${n}`);
    await store.jobs.end({ id: job._id, attempt: 1 }, { state: "succeeded", result: null, error: null, why: "done" });
  }
});

it("a job that finds the reconciler's word takes it away, and the write behind that word is void", async () => {
  await using store = await withPod();
  const settled = await store.pods.settle({ ...store.pod, reconciling: "not there any more" });
  expect(settled).toMatchObject({ reconciling: null, version: 2 });
});

it("a sighting of a host is one of each of its pods that it does not except, if it is later than the pod's own", async () => {
  await using store = await withPod();
  const observedAt = new Date(Date.now() - 60_000);
  const pod = { ...store.pod, observedAt };
  const observed = async (): Promise<Date | null> => toPodRecord(pod, await store.sightings.latest()).observedAt;
  expect(await observed()).toEqual(observedAt);
  await store.sightings.put("h", 2_000, []);
  await store.sightings.put("other", 0, []);
  await expect.poll(observed, { timeout: 10_000 }).not.toEqual(observedAt);
  const age = Date.now() - (await observed())!.getTime();
  expect(age).toBeGreaterThanOrEqual(2_000);
  expect(age).toBeLessThan(60_000);
  await store.sightings.put("h", 0, [key]);
  await expect.poll(observed, { timeout: 10_000 }).toEqual(observedAt);
  expect((await store.pods.get(key))!.version).toBe(2);
});
