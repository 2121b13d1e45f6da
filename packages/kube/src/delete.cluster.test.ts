import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PodIdentity } from "./names.ts";
import { clusterFixture } from "./testing.ts";
import type { ClusterFixture } from "./testing.ts";

let on: ClusterFixture;
beforeAll(async () => (on = await clusterFixture()));
afterAll(() => on.stop());

const control = { timeoutMs: 60_000 };
const namespaceOf = ({ namespace }: { namespace: string }) =>
  on.admin(["get", "namespaces", namespace, "--ignore-not-found", "-o", "name"]);
const key = ({ kind, id, name }: PodIdentity) => ({ kind, id, name });

describe("delete", () => {
  it("returns once the namespace is gone, and does so again", async () => {
    const identity = on.identity("gone");
    const made = await on.pods.create(identity, on.spec(), control);
    await on.pods.delete(made, control);
    expect(await namespaceOf(made)).toBe("");
    expect(await on.pods.observe(made, control)).toMatchObject({ status: "absent" });
    await on.pods.delete(made, control);
  });

  it("is content with what was never there", async () => {
    const identity = on.identity("never");
    await expect(on.pods.delete(identity, control)).resolves.toBeUndefined();
    await expect(on.pods.delete({ ...identity, namespaceUid: "some", deploymentUid: "uid" }, control)).resolves.toBeUndefined();
  });

  it("finds the namespace by its name when no uid was recorded", async () => {
    const identity = on.identity("unrecorded");
    await on.pods.create(identity, on.spec(), control);
    await on.pods.delete(identity, control);
    expect(await namespaceOf(identity)).toBe("");
  });

  it("leaves alone what is not ours when no uid was recorded", async () => {
    const identity = on.identity("foreign");
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: identity.namespace } };
    await on.admin(["apply", "--server-side", "--validate=ignore", "-f", "-"], JSON.stringify(namespace));
    try {
      await on.pods.delete(identity, control);
      expect(await on.admin(["get", "namespace", identity.namespace, "-o", "jsonpath={.status.phase}"])).toBe("Active");
    } finally {
      await on.admin(["delete", "namespace", identity.namespace, "--wait=false"]);
    }
  });

  it("never touches a successor: neither the next generation, nor another object under the same name", async () => {
    const identity = on.identity("late");
    const first = await on.pods.create(identity, on.spec(), control);
    const deleting = on.pods.delete(first, control);
    const next = on.identity("late", 2);
    const second = await on.pods.create(next, on.spec(), control);
    await deleting;
    await on.pods.delete(first, control);
    await on.pods.delete({ ...second, namespaceUid: first.namespaceUid, deploymentUid: first.deploymentUid }, control);
    expect(await on.pods.observe(second, control)).toEqual(second);
  });

  it("does not hold up the next generation, which does not wait for the namespace to go", async () => {
    const identity = on.identity("again");
    const first = await on.pods.create(identity, on.spec(), control);
    await on.admin(["delete", "namespace", identity.namespace, "--wait=false"]);
    await expect(on.pods.create(identity, on.spec({ env: { A: "1" } }), control)).rejects.toMatchObject({
      code: "namespace-terminating",
      observation: { namespaceUid: first.namespaceUid },
    });
    expect(await on.pods.find(key(identity), control)).toEqual({ highest: 1 });
    const next = on.identity("again", 2);
    expect(await on.pods.create(next, on.spec(), control)).toMatchObject({ status: "running" });
    expect(await on.pods.find(key(identity), control)).toMatchObject({ highest: 2, current: next });
    await on.pods.delete(first, control);
  });

  it("says what holds the namespace when it does not go, and ends once that lets go", async () => {
    const identity = on.identity("stuck");
    const made = await on.pods.create(identity, on.spec(), control);
    const patch = (finalizers: string[]) =>
      on.admin([
        "patch",
        "service",
        identity.service,
        `--namespace=${identity.namespace}`,
        "--type=merge",
        "-p",
        JSON.stringify({ metadata: { finalizers } }),
      ]);
    await patch(["podq.dev/test-hold"]);
    try {
      await expect(on.pods.delete(made, { timeoutMs: 12_000 })).rejects.toMatchObject({
        code: "namespace-stuck",
        message: expect.stringMatching(/NamespaceFinalizersRemaining: .*podq\.dev\/test-hold/),
      });
    } finally {
      await patch([]);
    }
    await on.pods.delete(made, control);
    expect(await namespaceOf(made)).toBe("");
  });

  it("ends at the caller's cancel, and leaves the rest to the next try", async () => {
    const made = await on.pods.create(on.identity("cancel"), on.spec(), control);
    const cancel = new AbortController();
    const deleting = on.pods.delete(made, { ...control, signal: cancel.signal });
    deleting.catch(() => undefined);
    cancel.abort();
    await expect(deleting).rejects.toMatchObject({ code: "cancelled" });
    await on.pods.delete(made, control);
    expect(await namespaceOf(made)).toBe("");
  });
});
