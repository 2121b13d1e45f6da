import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clusterFixture, eventually } from "./testing.ts";
import type { ClusterFixture } from "./testing.ts";

let on: ClusterFixture;
beforeAll(async () => (on = await clusterFixture()));
afterAll(() => on.stop());

const control = { timeoutMs: 60_000 };

async function made(id: string) {
  const identity = on.identity(id);
  return { identity, first: await on.pods.create(identity, on.spec({ labels: { team: "blue" } }), control) };
}

describe("stop", () => {
  it("leaves nothing that runs, and everything else; start brings it back as it was", async () => {
    const { identity, first } = await made("paused");
    const stopped = await on.pods.stop(identity, control);
    expect(stopped).toMatchObject({ status: "stopped", deploymentUid: first.deploymentUid, namespaceUid: first.namespaceUid });
    expect(stopped.podName).toBeUndefined();
    expect(await on.admin(["get", "pods", "-n", identity.namespace, "-o", "name"])).toBe("");
    expect(await on.pods.stop(identity, control)).toMatchObject({ status: "stopped" });
    const started = await on.pods.start(identity, control);
    expect(started).toMatchObject({ status: "running", service: first.service, image: first.image, deploymentUid: first.deploymentUid });
    expect(started.podUid).not.toBe(first.podUid);
    expect(await on.admin(["get", "pods", "-n", identity.namespace, "-o", "jsonpath={.items[*].metadata.labels.team}"])).toBe("blue");
  });

  it("of a pod of which there is nothing says so, as does start", async () => {
    expect(await on.pods.stop(on.identity("nothing"), control)).toMatchObject({ status: "absent" });
    expect(await on.pods.start(on.identity("nothing"), control)).toMatchObject({ status: "absent" });
  });

  it("trap: of a pod that a create brings back leaves no claim on its number of replicas", async () => {
    const { identity, first } = await made("back");
    await on.pods.stop(identity, control);
    const again = await on.pods.create(identity, on.spec({ labels: { team: "blue" } }), control);
    expect(again).toMatchObject({ status: "running", differs: [], deploymentUid: first.deploymentUid });
    expect((await on.pods.stop(identity, control)).status).toBe("stopped");
  });

  it("is said to have failed when the pod's node does not let it go", async () => {
    const { identity } = await made("held");
    const name = (await on.admin(["get", "pods", "-n", identity.namespace, "-o", "jsonpath={.items[0].metadata.name}"])).trim();
    const finalizers = (list: string) =>
      on.admin(["patch", "pod", name, "-n", identity.namespace, "--type=merge", "-p", `{"metadata":{"finalizers":${list}}}`]);
    await finalizers('["podq.dev/test"]');
    try {
      await expect(on.pods.stop(identity, { timeoutMs: 9_000 })).rejects.toMatchObject({
        code: "stop-timeout",
        message: expect.stringContaining(name) as string,
      });
    } finally {
      await finalizers("null");
    }
    expect((await on.pods.stop(identity, control)).status).toBe("stopped");
  });
});

describe("start", () => {
  it("leaves one that runs as it is", async () => {
    const { identity, first } = await made("running");
    expect(await on.pods.start(identity, control)).toEqual({ ...first, differs: [] });
  });

  it("with a word for a restart begins anew once for each word", async () => {
    const { identity, first } = await made("anew");
    const second = await on.pods.start(identity, { ...control, restart: "one" });
    expect(second).toMatchObject({ status: "running", deploymentUid: first.deploymentUid });
    expect(second.podUid).not.toBe(first.podUid);
    expect((await on.pods.start(identity, { ...control, restart: "one" })).podUid).toBe(second.podUid);
    const third = await on.pods.start(identity, { ...control, restart: "two" });
    expect(third.podUid).not.toBe(second.podUid);
    await eventually("the pods before it are gone", async () =>
      (await on.admin(["get", "pods", "-n", identity.namespace, "-o", "name"])).trim() === `pod/${third.podName}` ? true : undefined,
    );
  });
});

const fence = (n: number, raises = true) => ({ ...control, fence: { n, raises } });

describe("a writer that comes late", () => {
  it("trap: is told that it is over, and changes nothing", async () => {
    const identity = on.identity("fenced");
    await on.pods.create(identity, on.spec(), fence(1));
    await on.pods.stop(identity, fence(2));
    const started = await on.pods.start(identity, fence(3));
    await expect(on.pods.stop(identity, fence(2))).rejects.toMatchObject({ code: "superseded" });
    await expect(on.pods.create(identity, on.spec({ user: 2000 }), fence(1))).rejects.toMatchObject({ code: "superseded" });
    expect(await on.pods.observe(started, control)).toMatchObject({ status: "running", podUid: started.podUid });
    await on.pods.stop(identity, fence(4));
    await expect(on.pods.start(identity, fence(3, false))).rejects.toMatchObject({ code: "superseded" });
    expect(await on.pods.observe(started, control)).toMatchObject({ status: "stopped" });
  });

  it("is not one that starts a stopped pod beside others", async () => {
    const identity = on.identity("beside");
    await on.pods.create(identity, on.spec(), fence(1));
    await on.pods.stop(identity, fence(2));
    const both = await Promise.all([on.pods.start(identity, fence(4, false)), on.pods.start(identity, fence(3, false))]);
    expect(both.map(({ status }) => status)).toEqual(["running", "running"]);
    expect(both[0].podUid).toBe(both[1].podUid);
  });

  it("trap: has looked before somebody else wrote, and looks again", async () => {
    const identity = on.identity("raced");
    const first = await on.pods.create(identity, on.spec(), fence(1));
    const name = identity.deployment;
    const annotate = async (value: string) =>
      on.admin(["annotate", "deployment", name, "-n", identity.namespace, `test/raced=${value}`, "--overwrite"]);
    const writes = Array.from({ length: 12 }, (_, n) => String(n)).reduce(
      async (before, value) => before.then(async () => annotate(value)),
      Promise.resolve(""),
    );
    expect(await on.pods.stop(identity, fence(2))).toMatchObject({ status: "stopped", deploymentUid: first.deploymentUid });
    await writes;
  });
});
