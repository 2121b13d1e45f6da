import { podKey } from "@podq/jobs";
import { KubeError, type PodObservation, type Pods, type PodSpec } from "@podq/kube";
import type { JobDocument } from "@podq/store";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import type { OwnerLimits } from "../limits.ts";
import { openBench, type Bench } from "../testing.ts";
import { createHandler } from "./create.ts";
import { onTemplates } from "./template.ts";
import type { Place } from "./place.ts";

const place: Place = {
  installation: "t",
  host: { name: "default", address: "h", port: 22, username: "u" },
  accessHost: undefined,
  journal: "1Gi",
  labels: {},
  capacity: null,
};
const observed = (status: PodObservation["status"]): PodObservation => ({
  status,
  namespace: "n",
  deployment: "d",
  service: { ports: [] },
  differs: [],
  updated: [],
});

/** A cluster on which every create goes as `create` says, and that shows what it is told to. */
function cluster(create: () => Promise<PodObservation>, there: PodObservation["status"] = "absent"): Pods {
  return { create, find: async () => ({ highest: 0 }), observe: async () => observed(there) } as unknown as Pods;
}

async function working(
  bench: Bench,
  limits: Partial<OwnerLimits>,
  pods: Pods,
): Promise<(name: string, memory?: string) => Promise<string>> {
  const all = { pods: undefined, cpu: undefined, memory: undefined, ...limits };
  await bench.work(onTemplates(bench.store, createHandler(bench.store, pods, place, all)));
  return async (name, memory = "100Mi") => {
    const job = await bench.podq.pod({ project: "p", name }).create({ resources: { memory } });
    return job.result({ timeoutMs: 20_000 }).then(
      () => "made",
      (error: Error & { code: string }) => `${error.code}: ${error.message}`,
    );
  };
}

const runs = cluster(async () => observed("running"));

describe("a create", () => {
  it("after a delete that ended without a word makes the next generation", async () => {
    await using bench = await openBench();
    const create = await working(bench, {}, runs);
    expect(await create("a")).toBe("made");
    const pod = (await bench.store.pods.get(podKey({ project: "p" }, "a")))!;
    await bench.store.pods.patch(pod, { status: "deleting", deleteBegun: true });
    expect(await create("a")).toBe("made");
    expect(await bench.podq.pod({ project: "p", name: "a" }).get()).toMatchObject({ status: "running", generation: 2 });
  });

  it("beyond the number of its owner's pods fails, tells why, and leaves no record", async () => {
    await using bench = await openBench();
    const create = await working(bench, { pods: 2 }, runs);
    expect(await Promise.all(["a", "b"].map(async (name) => create(name)))).toEqual(["made", "made"]);
    expect(await create("c")).toMatch(/^quota-exceeded: .*project\/p may have 2 pods and has 2 beside this one/);
    expect(await bench.podq.pod({ project: "p", name: "c" }).get()).toBeNull();
    expect(await create("a")).toBe("made"); // it is one of the two
    const other = await bench.podq.pod({ project: "p2" }).create();
    expect(await other.result({ timeoutMs: 20_000 })).toMatchObject({ status: "running" });
  });

  it("that makes a pod larger than its owner may have leaves it as it was", async () => {
    await using bench = await openBench();
    const create = await working(bench, { memory: "500Mi" }, runs);
    expect(await create("a", "200Mi")).toBe("made");
    expect(await create("b", "200Mi")).toBe("made");
    expect(await create("a", "301Mi")).toMatch(
      /quota-exceeded: .*may come to 500Mi; 1 pod beside this one came to 200Mi, and it asks for 301Mi/,
    );
    expect(await bench.podq.pod({ project: "p", name: "a" }).get()).toMatchObject({ status: "running", resources: { memory: "200Mi" } });
    expect(await create("a", "300Mi")).toBe("made");
    expect(await create("b", "201Mi")).toMatch(/came to 300Mi, and it asks for 201Mi/);
  });

  it("that is tried again is not counted twice", async () => {
    await using bench = await openBench();
    let tries = 0;
    const pods = cluster(async () => {
      if (tries++ === 0) throw new KubeError("host-unreachable", "it is away");
      return observed("running");
    });
    const create = await working(bench, { pods: 1, memory: "100Mi" }, pods);
    expect(await create("a")).toBe("made");
    expect(tries).toBe(2);
  });

  it.each([
    ["absent", "made"],
    ["error", "quota-exceeded"],
  ] as const)("that failed counts by what it left on the cluster: %s", async (there, next) => {
    await using bench = await openBench();
    let refuse = true;
    const pods = cluster(async () => {
      if (!refuse) return observed("running");
      refuse = false;
      throw new KubeError("invalid-request", "no", { observation: observed("absent") });
    }, there);
    const create = await working(bench, { pods: 1 }, pods);
    expect(await create("a")).toMatch(/^invalid-request/);
    expect(await create("b")).toContain(next);
    expect(await bench.store.pods.get(podKey({ project: "p" }, "a"))).toMatchObject({
      status: "error",
      reserved: there === "absent" ? null : { memory: "100Mi" },
    });
  });
});

it("a plain BullMQ job with a template is made from the version that was the newest when it was recorded; with none there is, it is refused", async () => {
  await using bench = await openBench();
  const specs: PodSpec[] = [];
  const pods = { ...runs, create: async (_identity: unknown, spec: PodSpec) => (specs.push(spec), observed("running")) } as Pods;
  await bench.store.templates.save("py", { image: "localhost/py:1", level: "baseline", env: { A: "1" } });
  await working(bench, {}, pods);
  const redis = new Redis(bench.redisUrl, { maxRetriesPerRequest: null });
  const queue = new Queue("podq", { connection: redis, prefix: bench.prefix });
  try {
    const add = async (project: string, template: string): Promise<JobDocument> => {
      const { id, timestamp } = await queue.add("create", { owner: { project }, params: { template, env: { B: "2" } } });
      const found = async (): Promise<JobDocument | null> => bench.store.jobs.get(`${id}-${timestamp}`);
      await expect.poll(async () => (await found())?.endedAt ?? null, { timeout: 20_000 }).not.toBeNull();
      return (await found())!;
    };
    expect(await add("plain", "py")).toMatchObject({
      state: "succeeded",
      template: { name: "py", version: 1 },
      params: { template: "py" },
    });
    expect(specs).toMatchObject([{ image: "localhost/py:1", level: "baseline", env: { A: "1", B: "2" }, user: 1000 }]);
    expect(await add("none", "no-such")).toMatchObject({ state: "failed", error: { code: "not-found" } });
  } finally {
    await queue.close();
    redis.disconnect();
  }
});
