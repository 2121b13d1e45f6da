import { podKey } from "@podq/jobs";
import { KubeError, type PodObservation, type Pods } from "@podq/kube";
import { describe, expect, it } from "vitest";
import type { OwnerLimits } from "../limits.ts";
import { openBench, type Bench } from "../testing.ts";
import { createHandler } from "./create.ts";
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
  await bench.work(createHandler(bench.store, pods, place, all));
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
