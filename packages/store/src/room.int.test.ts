import { randomBytes } from "node:crypto";
import { podKey } from "@podq/jobs";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import type { NewPod } from "./pods.ts";
import { openStore, type Store } from "./store.ts";

// Two, as two workers have.
let stores: Store[];
beforeAll(async () => {
  const uri = new URL(inject("services").mongodbUri);
  uri.pathname = `/t${randomBytes(6).toString("hex")}`;
  stores = await Promise.all(["a", "b"].map(async (appName) => openStore({ uri: uri.href, appName })));
});
afterAll(async () => Promise.all(stores?.map(async (store) => store.close())));

const keyOf = (project: string): string => podKey({ project }, "default");
const newPod = (project: string, host: string, generation = 1): NewPod => {
  const namespace = `podq-${project}-${generation}`;
  const names = { installation: "podq", hash: project, deployment: "d", service: "s" };
  return {
    owner: { project },
    name: "default",
    generation,
    namespace,
    identity: { ...names, kind: "project", id: project, name: "default", generation, namespace },
    image: "i",
    resources: { memory: "1Mi", cpu: "1m", memoryRequests: "1Mi", cpuRequests: "1m" },
    labels: {},
    host: { name: host, address: "h", port: 22, username: "u" },
  };
};

it("a host never has more pods than it may, however many are placed at the same time by several workers", async () => {
  const tries = Array.from({ length: 30 }, (_, n) => `crowd${n}`);
  const placed = await Promise.allSettled(
    tries.map(async (project, n) => stores[n % 2]!.pods.insert(keyOf(project), newPod(project, "full"), 7)),
  );
  const refused = placed.flatMap((one) => (one.status === "rejected" ? [(one.reason as { code: string }).code] : []));
  expect(refused).toEqual(Array.from({ length: 23 }, () => "host-full"));
  expect((await stores[0]!.hosts.countPods()).get("full")).toBe(7);
});

it("a pod that is deleted makes room, and itself is never too many where it is", async () => {
  const [store] = stores as [Store];
  const first = (await store.pods.insert(keyOf("one"), newPod("one", "small"), 1))!;
  await expect(store.pods.insert(keyOf("two"), newPod("two", "small"), 1)).rejects.toMatchObject({ code: "host-full" });
  const going = (await store.pods.patch(first, { status: "deleting" }))!;
  const failed = (await store.pods.patch(going, { status: "error" }))!;
  const again = (await store.pods.renew(failed, newPod("one", "small", 2), 1))!;
  expect(again.generation).toBe(2);
  const gone = (await store.pods.patch((await store.pods.patch(again, { status: "deleting" }))!, { status: "deleted" }))!;
  expect(await store.pods.insert(keyOf("two"), newPod("two", "small"), 1)).not.toBeNull();
  await expect(store.pods.renew(gone, newPod("one", "small", 3), 1)).rejects.toMatchObject({ code: "host-full" });
});

it("somebody else's record is left as it is, also where places are counted", async () => {
  const [store, other] = stores as [Store, Store];
  expect(await store.pods.insert(keyOf("mine"), newPod("mine", "wide"), 9)).not.toBeNull();
  expect(await other.pods.insert(keyOf("mine"), newPod("mine", "wide"), 9)).toBeNull();
});
