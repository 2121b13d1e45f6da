import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createKubectl } from "./kubectl.ts";
import { podNames } from "./names.ts";
import type { Deployment, Pod } from "./objects.ts";
import { untilReady } from "./ready.ts";
import { failure, scriptedHost } from "./scripted.ts";
import type { ScriptedChannel } from "./scripted.ts";

const recorded: Record<string, { deployment: Deployment; pods: Pod[] }> = JSON.parse(
  readFileSync(join(import.meta.dirname, "verdict.recorded.json"), "utf8"),
);
const identity = podNames({ installation: "podq", kind: "project", id: "p1", name: "default", generation: 1 });
const warning = {
  items: [
    { reason: "FailedMount", message: "old", lastTimestamp: "2026-01-01T00:00:00Z" },
    { reason: "FailedCreatePodSandBox", message: "no network", lastTimestamp: "2026-01-01T00:00:09Z" },
  ],
};

async function starting({ timeoutMs = 60_000, events = warning.items } = {}) {
  const host = scriptedHost(() => ({ stdout: Buffer.from(JSON.stringify({ items: events })) }));
  const cancel = new AbortController();
  const { deployment } = recorded["the container is being created"]!;
  const result = untilReady(
    createKubectl(host),
    identity,
    { deployment, pods: [] },
    { signal: cancel.signal, until: performance.now() + timeoutMs },
  );
  result.catch(() => undefined);
  const [deployments, pods] = await Promise.all([host.channel(0), host.channel(1)]);
  const show = (name: string, type = "MODIFIED"): void => {
    const shown = recorded[name]!;
    // One pod lives on over all that was recorded.
    for (const pod of shown.pods) pods.send({ type, object: { ...pod, metadata: { ...pod.metadata, uid: "pod" } } });
    deployments.send({ type, object: { ...shown.deployment, metadata: { ...shown.deployment.metadata, uid: deployment.metadata.uid } } });
  };
  return { host, cancel, result, deployments, pods, show, closed: () => host.channels.every(({ closed }: ScriptedChannel) => closed) };
}

// Lets the streams deliver what was sent, without letting time pass.
const delivered = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

afterEach(() => vi.useRealTimers());

describe("untilReady", () => {
  it("is over as soon as the Deployment is available, and says where the pod is", async () => {
    const { result, show, closed } = await starting();
    show("the container is being created", "ADDED");
    show("the container runs, but not yet for minReadySeconds");
    show("it is available");
    expect(await result).toMatchObject({
      status: "running",
      podUid: "pod",
      containerId: expect.stringMatching(/^containerd:/),
      nodeAddress: "10.199.0.2",
    });
    expect(closed()).toBe(true);
  });

  it("does not believe a watch that begins before what was applied", async () => {
    const host = scriptedHost(() => ({}));
    const available = recorded["it is available"]!;
    const applied = { ...available.deployment, metadata: { ...available.deployment.metadata, generation: 2 } };
    const result = untilReady(createKubectl(host), identity, { deployment: applied, pods: [] }, { until: performance.now() + 60_000 });
    const [deployments, pods] = await Promise.all([host.channel(0), host.channel(1)]);
    pods.send({ type: "ADDED", object: available.pods[0]! });
    deployments.send({ type: "ADDED", object: available.deployment });
    await delivered();
    expect(host.channels.some(({ closed }) => closed)).toBe(false);
    deployments.send({ type: "MODIFIED", object: { ...applied, status: { ...applied.status, observedGeneration: 2 } } });
    expect(await result).toMatchObject({ status: "running" });
  });

  it("fails by name at once when the cluster knows the cause, with what is there", async () => {
    const { result, show, closed } = await starting();
    show("no such image, first pull");
    await expect(result).rejects.toMatchObject({
      code: "image-not-found",
      message: expect.stringMatching(/: not found$/),
      observation: { status: "error", error: { code: "image-not-found" }, podUid: "pod" },
    });
    expect(closed()).toBe(true);
  });

  it("waits a little with a cause that may pass, and does not fail if it does", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { result, show } = await starting();
    show("no node has room");
    await delivered();
    vi.advanceTimersByTime(1_999);
    show("the container is being created");
    await delivered();
    vi.advanceTimersByTime(10_000);
    show("it is available");
    expect(await result).toMatchObject({ status: "running" });
  });

  it("fails with a cause that stays, with its latest words", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { result, show } = await starting();
    show("registry does not answer, first pull");
    await delivered();
    vi.advanceTimersByTime(5_000);
    show("registry does not answer, backing off");
    await delivered();
    vi.advanceTimersByTime(5_000);
    await expect(result).rejects.toMatchObject({ code: "image-pull-failed", message: expect.stringMatching(/i\/o timeout$/) });
  });

  it("keeps the registry's words when a kubelet no longer says them", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { result, show, pods } = await starting();
    show("registry does not answer, first pull");
    const terse = structuredClone(recorded["registry does not answer, backing off"]!.pods[0]!);
    terse.metadata.uid = "pod";
    terse.status!.containerStatuses![0]!.state = {
      waiting: { reason: "ImagePullBackOff", message: 'Back-off pulling image "registry.invalid/x:1"' },
    };
    pods.send({ type: "MODIFIED", object: terse });
    await delivered();
    vi.advanceTimersByTime(10_000);
    await expect(result).rejects.toMatchObject({ code: "image-pull-failed", message: expect.stringMatching(/i\/o timeout$/) });
  });

  it("does not call a pod ready that was killed once and has just been started again", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { result, show } = await starting();
    show("available again after out of memory");
    await delivered();
    vi.advanceTimersByTime(9_000);
    show("out of memory, first time");
    await expect(result).rejects.toMatchObject({ code: "oom-killed" });
  });

  it("ends with unhealthy when the newest warning is a probe's, in its words", async () => {
    const unhealthy = { reason: "Unhealthy", message: "Readiness probe failed: no", lastTimestamp: "2026-01-01T00:00:10Z" };
    const { result } = await starting({ timeoutMs: 50, events: [...warning.items, unhealthy] });
    await expect(result).rejects.toMatchObject({ code: "unhealthy", message: expect.stringMatching(/: Readiness probe failed: no$/) });
  });

  it("ends with start-timeout when nothing was named, and quotes the newest warning", async () => {
    const { result, closed } = await starting({ timeoutMs: 50 });
    await expect(result).rejects.toMatchObject({
      code: "start-timeout",
      message: expect.stringMatching(/FailedCreatePodSandBox: no network$/),
      observation: { status: "created" },
    });
    expect(closed()).toBe(true);
  });

  it("says what it was just waiting with when the time is over", async () => {
    const { result, show } = await starting({ timeoutMs: 200 });
    show("no node has room");
    await expect(result).rejects.toMatchObject({ code: "unschedulable" });
  });

  it("is retryable by name when somebody deletes the Deployment meanwhile", async () => {
    const { result, show } = await starting();
    show("the container is being created", "DELETED");
    await expect(result).rejects.toMatchObject({ code: "namespace-terminating" });
  });

  it("ends at the caller's cancel with what is there, and closes its watches", async () => {
    const { cancel, result, show, closed } = await starting();
    show("the container is being created");
    await delivered();
    cancel.abort();
    await expect(result).rejects.toMatchObject({ code: "cancelled", observation: { status: "created", podUid: "pod" } });
    expect(closed()).toBe(true);
  });

  it("ends when one watch is lost, and closes the other", async () => {
    const { result, pods, closed } = await starting();
    pods.end(failure("unknown", "the connection was lost"));
    await expect(result).rejects.toMatchObject({ code: "host-unreachable", message: "the connection was lost" });
    expect(closed()).toBe(true);
  });

  it("forgets the pods it knew when their watch has to begin anew", async () => {
    const { result, show, pods, host } = await starting();
    show("the container is being created");
    await delivered();
    pods.end({ code: 0 });
    const again = await host.channel(2);
    show("it is available");
    await delivered();
    const other = recorded["it is available"]!.pods[0]!;
    again.send({ type: "ADDED", object: { ...other, metadata: { ...other.metadata, uid: "successor" } } });
    expect(await result).toMatchObject({ podUid: "successor" });
  });
});
