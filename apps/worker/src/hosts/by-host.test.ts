import type { PodDocument } from "@podq/store";
import { StoreError } from "@podq/store";
import { expect, it } from "vitest";
import { forAllKinds } from "../engine.ts";
import type { Attempt, Executor } from "../execute.ts";
import { noSuchPod } from "../handlers/delete.ts";
import { byHost, type ByHost } from "./by-host.ts";
import type { HostParts, WorkHost } from "./open.ts";

const on = (name: string): HostParts => ({ place: { host: { name } } }) as unknown as HostParts;
const podOn = (name: string, more: Partial<PodDocument> = {}): PodDocument =>
  ({ host: { name }, status: "running", deleteBegun: false, ...more }) as PodDocument;
const attemptOf = (pod: PodDocument | null): Attempt => ({ pod, job: { params: {} } }) as unknown as Attempt;

// Handlers that say where they are; new pods are placed on the first of the hosts that is not full.
function route(names: readonly string[], does: (host: string) => string = (host) => host, shares?: ByHost["shares"]): Executor["handlers"] {
  const hosts = names.map((name) => ({ name, ...on(name), settings: { whenDown: null } }) as unknown as WorkHost);
  return byHost({
    hosts,
    shares,
    place: async (_labels, full) => hosts.find(({ name }) => !full.has(name))!,
    unknown: ({ name }) => on(`unknown ${name}`),
    handlersOf: ({ place }) =>
      forAllKinds(async () => ({ kind: "end", state: "succeeded", result: null, error: null, why: does(place.host.name) })),
  });
}
const where = async (handlers: Executor["handlers"], kind: keyof Executor["handlers"], pod: PodDocument | null): Promise<string> => {
  const outcome = await handlers[kind](attemptOf(pod));
  return outcome.kind === "end" ? outcome.why : outcome.kind;
};

it.each([
  ["create", podOn("b"), "b"],
  ["exec", podOn("b"), "b"],
  ["stop", podOn("b"), "b"],
  ["delete", podOn("b", { status: "deleted" }), "b"],
  ["exec", podOn("c"), "unknown c"],
  ["create", podOn("c"), "unknown c"],
  ["create", null, "a"],
  ["create", podOn("b", { status: "deleted" }), "a"],
  ["create", podOn("b", { status: "error", deleteBegun: true }), "a"],
] as const)("a %s of %o is worked on at its own host", async (kind, pod, host) => {
  expect(await where(route(["a", "b"]), kind, pod)).toBe(host);
});

it("a pod whose volume was kept goes back to it, and fails in words where there is no room for it any more", async () => {
  const kept = podOn("b", { status: "deleted", volume: { kept: true } } as Partial<PodDocument>);
  expect(await where(route(["a", "b"]), "create", kept)).toBe("b");
  const full = route(["a", "b"], () => {
    throw new StoreError("host-full", "host b is full");
  });
  await expect(full.create(attemptOf(kept))).rejects.toMatchObject({
    code: "unschedulable",
    message: expect.stringContaining("host b is full") as string,
  });
});

it("a create goes on to the next host where one is full at the moment of writing", async () => {
  const handlers = route(["a", "b"], (host) => {
    if (host === "a") throw new StoreError("host-full", "full");
    return host;
  });
  expect(await where(handlers, "create", null)).toBe("b");
});

it("a delete of a pod without a record looks at every host, and is over where all have answered", async () => {
  expect(
    await where(
      route(["a", "b", "c"], (host) => (host === "b" ? "gone from b" : noSuchPod)),
      "delete",
      null,
    ),
  ).toBe("gone from b");
  expect(
    await where(
      route(["a", "b"], () => noSuchPod),
      "delete",
      null,
    ),
  ).toBe(noSuchPod);
  const away = route(["a", "b"], (host) => {
    if (host === "b") throw new Error("b is away");
    return noSuchPod;
  });
  await expect(away.delete(attemptOf(null))).rejects.toThrow("b is away");
});

it("a new pod is put back, with an attempt that does not count, where its host has all the jobs that it may", async () => {
  const entered: string[] = [];
  const leave = (): void => void entered.push("left");
  const full = route(["a"], undefined, { isFree: () => false, enter: () => leave });
  expect(await full.create({ ...attemptOf(null), job: { params: {}, attempt: 1 } as Attempt["job"] })).toMatchObject({
    kind: "retry",
    uncounted: true,
  });
  const free = route(["a"], undefined, { isFree: () => true, enter: (host) => (entered.push(host), leave) });
  expect(await where(free, "create", null)).toBe("a");
  expect(entered).toEqual(["a", "left"]);
});

it("a pod whose delete has failed does not wait for itself", async () => {
  const full = route(["a"], undefined, { isFree: () => false, enter: () => () => undefined });
  expect(await where(full, "create", podOn("a", { status: "error", deleteBegun: true }))).toBe("a");
});
