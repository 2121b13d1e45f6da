import { randomBytes } from "node:crypto";
import { podKey } from "@podq/jobs";
import { expect, inject, it } from "vitest";
import type { NewPod, PodStore } from "./pods.ts";
import { openStore, type Store } from "./store.ts";

async function open(): Promise<Store & AsyncDisposable> {
  const uri = new URL(inject("services").mongodbUri);
  uri.pathname = `/t${randomBytes(6).toString("hex")}`;
  const store = await openStore({ uri: uri.href, appName: "podq-test" });
  return { ...store, [Symbol.asyncDispose]: store.close };
}

const newPod = (project: string, name: string): NewPod => ({
  owner: { project },
  name,
  generation: 1,
  namespace: `${project}-${name}`,
  identity: { name } as never,
  image: "x",
  resources: { memory: "1Mi", cpu: "1m", memoryRequests: "1Mi", cpuRequests: "1m" },
  labels: {},
  host: { name: "default", address: "h", port: 22, username: "u" },
});

const atMost =
  (most: number) =>
  (others: readonly unknown[]): string | null =>
    others.length < most ? null : `there are ${others.length}`;
const insert = (project: string, name: string) => async (pods: PodStore) => pods.insert(podKey({ project }, name), newPod(project, name));

it("of many that are let in at once no more are than may be, and every place is taken", async () => {
  await using store = await open();
  const letIn = async (project: string, n: number) =>
    store.admissions.admit({ owner: { project }, name: `n${n}` }, atMost(5), insert(project, `n${n}`));
  const asked = Array.from({ length: 24 }, (_, n) => n);
  const [some] = await Promise.all([
    Promise.allSettled(asked.map(async (n) => letIn("p", n))),
    Promise.all([0, 1, 2].map(async (n) => letIn("p0", n))), // whose keys come right behind those of p
  ]);
  const refused = some.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  expect(refused).toHaveLength(asked.length - 5);
  for (const error of refused) expect(error).toMatchObject({ code: "quota-exceeded", message: "there are 5" });
  expect(await store.pods.list({ owners: ["project/p"] }, 99)).toHaveLength(5);
  expect(await store.pods.list({ owners: ["project/p0"] }, 99)).toHaveLength(3);
});

it("who is let in a second time is not counted twice, and one that is deleted not at all", async () => {
  await using store = await open();
  const letIn = async (name: string, write = insert("p", name)) =>
    store.admissions.admit({ owner: { project: "p" }, name }, atMost(1), write);
  const first = (await letIn("a"))!;
  expect(await letIn("a")).toBeNull(); // it is there already
  expect(await letIn("a", async (pods) => pods.patch(first, { image: "y" }))).toMatchObject({ image: "y", version: 2 });
  await expect(letIn("b")).rejects.toMatchObject({ code: "quota-exceeded" });
  const going = (await store.pods.patch((await store.pods.get(first._id))!, { status: "deleting" }))!;
  await expect(letIn("b")).rejects.toMatchObject({ code: "quota-exceeded" });
  await store.pods.patch(going, { status: "deleted" });
  expect(await letIn("b")).toMatchObject({ name: "b", status: "created" });
});

async function insertAndThrow(pods: PodStore): Promise<never> {
  await insert("p", "a")(pods);
  throw new Error("it went wrong behind the write");
}

it("what is not let in writes nothing", async () => {
  await using store = await open();
  await expect(store.admissions.admit({ owner: { project: "p" }, name: "a" }, () => null, insertAndThrow)).rejects.toThrow(
    "behind the write",
  );
  expect(await store.pods.get("project/p/a")).toBeNull();
});

it("a pod that is let in by its owner's limits is kept to its host's as well", async () => {
  await using store = await open();
  const letIn = async (project: string, name: string) =>
    store.admissions.admit({ owner: { project }, name }, atMost(2), async (pods) =>
      pods.insert(podKey({ project }, name), newPod(project, name), 3),
    );
  const asked = ["p", "q"].flatMap((project) => ["a", "b", "c"].map(async (name) => letIn(project, name)));
  const codes = (await Promise.allSettled(asked)).flatMap((one) =>
    one.status === "rejected" ? [(one.reason as { code: string }).code] : [],
  );
  expect(codes).toHaveLength(3);
  expect(new Set([...codes, "quota-exceeded"])).toEqual(new Set(["host-full", "quota-exceeded"]));
  expect(await store.pods.list({}, 9)).toHaveLength(3);
});
