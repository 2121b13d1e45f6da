import { podKey } from "@podq/jobs";
import type { Expiry, JobDocument } from "@podq/store";
import { podNames } from "@podq/kube";
import { describe, expect, it } from "vitest";
import type { Handler } from "./execute.ts";
import { deleteHandler } from "./handlers/delete.ts";
import { stopHandler } from "./handlers/power.ts";
import type { Outcome } from "./outcome.ts";
import { openBench, type Bench } from "./testing.ts";

const done: Outcome = { kind: "end", state: "succeeded", result: null, error: null, why: "done" };
const succeed: Handler = async () => done;
const never: Expiry = { ttlAt: null, idleAfterMs: null, onIdle: "stop", usedAt: new Date(), lookAt: null, firedAt: null };
const seenStopped = async (): Promise<object> => ({ status: "stopped", service: { ports: [] }, differs: [], updated: [] });
const ago = (ms: number): Date => new Date(Date.now() - ms);

/** The record of a pod that runs, as a create leaves it. */
async function runningPod({ store }: Bench, project: string, expiry: Partial<Expiry>): Promise<void> {
  const key = { kind: "project" as const, id: project, name: "default", generation: 1 };
  const identity = podNames({ installation: "t", ...key });
  const pod = await store.pods.insert(podKey({ project }), {
    owner: { project },
    name: "default",
    generation: 1,
    namespace: identity.namespace,
    identity,
    image: "x",
    resources: { memory: "1Mi", cpu: "1m", memoryRequests: "1Mi", cpuRequests: "1m" },
    labels: {},
    host: { name: "default", address: "h", port: 22, username: "u" },
    expiry: { ...never, ...expiry },
  });
  await store.pods.patch(pod!, { status: "running", podName: "p", podUid: "u" });
}

const jobsOf = async (bench: Bench, project: string): Promise<JobDocument[]> => bench.store.jobs.list({ podKey: podKey({ project }) }, 100);
const kindsOf = async (bench: Bench, project: string): Promise<string[]> =>
  (await jobsOf(bench, project)).map(({ kind, state }) => `${kind} ${state}`);

describe("a pod that has lived for as long as it may", () => {
  it("is deleted once, by a job that cancels what is before it, whoever looks and however often", async () => {
    await using bench = await openBench();
    await runningPod(bench, "old", { ttlAt: ago(1) });
    await Promise.all([bench.work(succeed, { sweepMs: 50 }), bench.work(succeed, { sweepMs: 50 })]);
    await expect.poll(async () => kindsOf(bench, "old"), { timeout: 10_000 }).toEqual(["delete succeeded"]);
    expect((await jobsOf(bench, "old"))[0]).toMatchObject({ params: { cancelPending: true, ifOverdue: true } });
    // A look that died before it had noted its job, and comes again.
    const [pod] = await bench.store.expiry.overdue(9);
    expect(pod).toBeUndefined();
    await expect.poll(async () => (await bench.podq.pod({ project: "old" }).exec("x")).status(), { timeout: 10_000 }).toBeDefined();
    expect((await kindsOf(bench, "old")).filter((one) => one.startsWith("delete"))).toHaveLength(1);
  });

  it("is not deleted when it was given longer before the turn of the job that would", async () => {
    await using bench = await openBench();
    await runningPod(bench, "saved", { ttlAt: ago(1) });
    const job = await bench.podq.pod({ project: "saved" }).delete({ ifOverdue: true });
    await bench.podq.pod({ project: "saved" }).extend({ ttlMs: 600_000 });
    const remove = deleteHandler(bench.store, {} as never, {} as never);
    await bench.work(remove, { sweepMs: 60_000 });
    await expect(job.result({ timeoutMs: 10_000 })).rejects.toMatchObject({ code: "cancelled" });
    expect((await bench.podq.pod({ project: "saved" }).get())!.status).toBe("running");
  });

  it("is gone for good once a delete has begun, whoever takes that over and whatever came since", async () => {
    await using bench = await openBench();
    await runningPod(bench, "half", { idleAfterMs: 60_000, usedAt: ago(61_000) });
    const pod = (await bench.store.pods.get(podKey({ project: "half" })))!;
    await bench.store.pods.patch(pod, { status: "deleting", deleteBegun: true });
    const job = await bench.podq.pod({ project: "half" }).delete({ ifIdle: true });
    await bench.podq.pod({ project: "half" }).exec("x");
    const remove = deleteHandler(bench.store, { delete: async () => undefined } as never, {} as never);
    await bench.work(async (attempt) => (attempt.job.kind === "delete" ? remove(attempt) : done), { sweepMs: 60_000 });
    expect((await job.result({ timeoutMs: 10_000 }))!.status).toBe("deleted");
  });

  it("lives on when it was given longer in time", async () => {
    await using bench = await openBench();
    await runningPod(bench, "longer", { ttlAt: new Date(Date.now() + 60_000) });
    const before = (await bench.podq.pod({ project: "longer" }).get())!;
    const after = await bench.podq.pod({ project: "longer" }).extend({ ttlMs: 600_000 });
    expect(after.expiry!.ttlAt!.getTime()).toBeGreaterThan(before.expiry!.ttlAt!.getTime());
    expect(after.version).toBe(before.version);
    await expect(bench.podq.pod({ project: "nobody" }).extend()).rejects.toMatchObject({ code: "not-found" });
    await expect(bench.podq.pod({ project: "longer" }).extend({ ttlMs: 0 })).rejects.toMatchObject({ code: "invalid-request" });
  });
});

describe("a pod that is idle", () => {
  it("is ended as it was asked for, once", async () => {
    await using bench = await openBench();
    await runningPod(bench, "stops", { idleAfterMs: 60_000, usedAt: ago(61_000), lookAt: ago(1) });
    await runningPod(bench, "goes", { idleAfterMs: 60_000, usedAt: ago(61_000), lookAt: ago(1), onIdle: "delete" });
    await bench.work(succeed, { sweepMs: 50 });
    await expect.poll(async () => kindsOf(bench, "stops"), { timeout: 10_000 }).toEqual(["stop succeeded"]);
    await expect.poll(async () => kindsOf(bench, "goes"), { timeout: 10_000 }).toEqual(["delete succeeded"]);
    expect((await jobsOf(bench, "goes"))[0]).toMatchObject({ params: { cancelPending: false, ifIdle: true } });
    expect(await bench.store.expiry.maybeIdle(9)).toEqual([]);
  });

  it("is not while a job of it waits or has just ended, or somebody reports that it is in use", async () => {
    await using bench = await openBench();
    await runningPod(bench, "waits", { idleAfterMs: 60_000, usedAt: ago(61_000), lookAt: ago(1) });
    await runningPod(bench, "ended", { idleAfterMs: 60_000, usedAt: ago(61_000), lookAt: ago(1) });
    await runningPod(bench, "used", { idleAfterMs: 60_000, usedAt: ago(61_000), lookAt: ago(1) });
    const waiting = await bench.podq.pod({ project: "waits" }).exec("x", { deadlineMs: 600_000 });
    const cancelled = await bench.podq.pod({ project: "ended" }).exec("x");
    await cancelled.cancel();
    await bench.podq.pod({ project: "used" }).extend();
    const gate = Promise.withResolvers<void>();
    await bench.work(async () => gate.promise.then(() => done), { sweepMs: 50 });
    await expect.poll(async () => bench.store.expiry.maybeIdle(9), { timeout: 10_000 }).toEqual([]);
    expect(await kindsOf(bench, "ended")).toEqual(["exec cancelled"]);
    expect(await kindsOf(bench, "used")).toEqual([]);
    expect((await kindsOf(bench, "waits")).map((one) => one.split(" ")[0])).toEqual(["exec"]);
    gate.resolve();
    await waiting.result({ timeoutMs: 10_000 }).catch(() => undefined);
  });

  it("is asked about again at the turn of the job that ends it: that is cancelled if another came behind it, or use was reported", async () => {
    await using bench = await openBench();
    await runningPod(bench, "behind", { idleAfterMs: 60_000, usedAt: ago(61_000) });
    await runningPod(bench, "reported", { idleAfterMs: 60_000, usedAt: ago(61_000) });
    const stops = [];
    for (const project of ["behind", "reported"]) stops.push(await bench.podq.pod({ project }).stop({ ifIdle: true }));
    await bench.podq.pod({ project: "behind" }).exec("x");
    await bench.podq.pod({ project: "reported" }).extend();
    const stop = stopHandler(bench.store, {} as never, {} as never);
    await bench.work(async (attempt) => (attempt.job.kind === "stop" ? stop(attempt) : done), { sweepMs: 60_000 });
    for (const job of stops)
      await expect(job.result({ timeoutMs: 10_000 })).rejects.toMatchObject({
        code: "cancelled",
        message: expect.stringContaining("not idle") as string,
      });
  });

  it("is on record as stopped when an attempt has stopped it and died, whatever came since", async () => {
    await using bench = await openBench();
    await runningPod(bench, "half", { idleAfterMs: 60_000, usedAt: ago(61_000) });
    const job = await bench.podq.pod({ project: "half" }).stop({ ifIdle: true });
    await bench.podq.pod({ project: "half" }).exec("x");
    const stop = stopHandler(bench.store, { observe: seenStopped, stop: seenStopped } as never, {} as never);
    const again: Outcome = { kind: "retry", delayMs: 1, error: { code: "cluster-unreachable", message: "" } };
    await bench.work(async (attempt) => (attempt.job.kind !== "stop" ? done : attempt.job.attempt === 1 ? again : stop(attempt)));
    expect((await job.result({ timeoutMs: 10_000 })).status).toBe("stopped");
  });
});
