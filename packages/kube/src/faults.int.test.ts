import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { TestCluster } from "@podq/devstack/testing";
import { clusterFixture, eventually } from "./testing.ts";
import type { ClusterFixture } from "./testing.ts";

type Embedded = NonNullable<TestCluster["embedded"]>;

// What no real cluster does on demand, played by the embedded one in a real cluster's words.
let on: ClusterFixture;
let embedded: Embedded;
let count = 0;
beforeAll(async () => {
  on = await clusterFixture();
  if (on.cluster.embedded === undefined) throw new Error("this suite is for the embedded cluster: unset PODQ_TEST_CLUSTER");
  embedded = on.cluster.embedded;
});
afterEach(() => embedded.heal());
afterAll(() => on.stop());

const control = { timeoutMs: 30_000 };

describe("create", () => {
  it.each<[Parameters<Embedded["fail"]>[0], string, RegExp, number]>([
    ["registry-unreachable", "image-pull-failed", /dial tcp 192\.0\.2\.1:443: i\/o timeout/, 15_000],
    ["image-forbidden", "image-not-found", /repository does not exist or may require authorization/, 5_000],
    ["config-missing", "config-error", /secret "x" not found/, 8_000],
    ["selector-mismatch", "unschedulable", /didn't match Pod's node affinity/, 8_000],
    ["limit-range", "policy-violation", /maximum memory usage/, 5_000],
    ["webhook-denied", "policy-violation", /denied the request: not allowed here/, 5_000],
    ["webhook-unreachable", "cluster-unreachable", /failed calling webhook/, 5_000],
    ["node-ports-full", "node-port-exhausted", /range is full/, 5_000],
    ["unauthorized", "forbidden", /Unauthorized/, 5_000],
    ["api-overloaded", "cluster-unreachable", /did not complete within requested timeout/, 30_000],
  ])("calls %s %s, and succeeds once that is over", async (fault, code, words, withinMs) => {
    const identity = on.identity(`${fault}-${count++}`);
    const undo = embedded.fail(fault);
    const began = performance.now();
    await expect(on.pods.create(identity, on.spec(), control)).rejects.toMatchObject({ code, message: expect.stringMatching(words) });
    expect(performance.now() - began).toBeLessThan(withinMs);
    undo();
    expect(await on.pods.create(identity, on.spec(), control)).toMatchObject({ status: "running" });
  });

  it.each<[Parameters<Embedded["fail"]>[0], RegExp]>([
    ["sandbox-failed", /FailedCreatePodSandBox: .*no IP addresses available/],
    ["volume-missing", /FailedMount: .*configmap "nope" not found/],
  ])("quotes the event when nothing but an event knows the cause: %s", async (fault, words) => {
    embedded.fail(fault);
    await expect(on.pods.create(on.identity(fault), on.spec(), { timeoutMs: 6_000 })).rejects.toMatchObject({
      code: "start-timeout",
      message: expect.stringMatching(words),
    });
  });

  it("is not taken in by a pod that was ready for a moment", async () => {
    embedded.fail("out-of-memory");
    await expect(on.pods.create(on.identity("oom"), on.spec(), control)).rejects.toMatchObject({ code: "oom-killed" });
  });

  it("ends by name when the API server goes away meanwhile, and is finished by the next try", async () => {
    const identity = on.identity("paused");
    const creating = on.pods.create(identity, on.spec(), control);
    creating.catch(() => undefined);
    await eventually(
      "a pod",
      async () => (await on.admin(["get", "pods", `--namespace=${identity.namespace}`, "-o", "name"])) || undefined,
    );
    await embedded.pause();
    try {
      await expect(creating).rejects.toMatchObject({ code: "cluster-unreachable", observation: { namespace: identity.namespace } });
      await eventually("all channels are given back", async () => (on.pool.stats().channels.busy === 0 ? true : undefined));
    } finally {
      await embedded.resume();
    }
    expect(await on.pods.create(identity, on.spec(), control)).toMatchObject({ status: "running" });
  });
});

describe("observe", () => {
  it("follows an evicted pod to its replacement, though the evicted one stays in the list", async () => {
    const identity = on.identity("evicted");
    const first = await on.pods.create(identity, on.spec(), control);
    embedded.evict({ namespace: identity.namespace });
    const second = await eventually("a replacement", async () => {
      const seen = await on.pods.observe(first, control);
      return seen.status === "running" && seen.podUid !== first.podUid ? seen : undefined;
    });
    const phases = await on.admin(["get", "pods", `--namespace=${identity.namespace}`, "-o", "jsonpath={.items[*].status.phase}"]);
    expect(phases.split(" ").toSorted()).toEqual(["Failed", "Running"]);
    expect(second.deploymentUid).toBe(first.deploymentUid);
  });
});

describe("delete", () => {
  it("quotes the condition of a namespace that does not go", async () => {
    const made = await on.pods.create(on.identity("stuck"), on.spec(), control);
    embedded.fail("namespace-stuck");
    await expect(on.pods.delete(made, { timeoutMs: 3_000 })).rejects.toMatchObject({
      code: "namespace-stuck",
      message: expect.stringMatching(/NamespaceContentRemaining: .*configmaps/),
    });
    embedded.heal();
    await on.pods.delete(made, control);
    expect(await on.pods.observe(made, control)).toMatchObject({ status: "absent" });
  });
});
