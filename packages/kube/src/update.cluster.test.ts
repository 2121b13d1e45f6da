import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clusterFixture } from "./testing.ts";
import type { ClusterFixture } from "./testing.ts";

let on: ClusterFixture;
beforeAll(async () => (on = await clusterFixture()));
afterAll(() => on.stop());

const control = { timeoutMs: 60_000 };
const update = { ...control, ifChanged: "update" } as const;
const reject = { ...control, ifChanged: "reject" } as const;

async function made(id: string) {
  const identity = on.identity(id);
  return { identity, first: await on.pods.create(identity, on.spec(), control) };
}

describe("an update", () => {
  it("makes a pod that runs what is asked, says what it changed, and changes nothing when it is asked again", async () => {
    const { identity, first } = await made("updated");
    const asked = on.spec({ image: on.cluster.image2, env: { A: "1" }, labels: { team: "a" }, storage: "1Gi" });
    const second = await on.pods.create(identity, asked, update);
    expect(second).toMatchObject({
      status: "running",
      image: on.cluster.image2,
      updated: ["image", "env", "labels", "storage"],
      differs: [],
      deploymentUid: first.deploymentUid,
      service: first.service,
    });
    expect(second.podUid).not.toBe(first.podUid);
    expect(await on.pods.create(identity, asked, update)).toEqual({ ...second, updated: [] });
  });

  it("that another attempt takes over is told as an update, and begins nothing anew", async () => {
    const { identity } = await made("taken-over");
    const asked = on.spec({ env: { A: "1" } });
    const second = await on.pods.create(identity, asked, { ...update, word: "job", fence: { n: 2, raises: true } });
    expect(await on.pods.create(identity, asked, { ...update, word: "job", fence: { n: 3, raises: true } })).toEqual(second);
    expect(second.updated).toEqual(["env"]);
    await on.pods.stop(identity, control);
    const third = await on.pods.create(identity, on.spec({ env: { A: "2" } }), { ...update, word: "next", fence: { n: 4, raises: true } });
    expect(third.updated).toEqual(["env"]);
    await expect(on.pods.create(identity, asked, { ...update, word: "job", fence: { n: 3, raises: true } })).rejects.toMatchObject({
      code: "superseded",
    });
  });

  it("that cannot run says why, what it changed and what is there; another one repairs it", async () => {
    const { identity } = await made("broken");
    const nope = on.spec({ image: "localhost/nope:1" });
    await expect(on.pods.create(identity, nope, update)).rejects.toMatchObject({
      code: "image-not-found",
      observation: { status: "error", image: "localhost/nope:1", updated: ["image"], differs: [] },
    });
    expect(await on.pods.create(identity, on.spec(), update)).toMatchObject({
      status: "running",
      image: on.cluster.image,
      updated: ["image"],
    });
  });

  it("of a pod that is stopped starts it as what is asked", async () => {
    const { identity } = await made("stopped-update");
    await on.pods.stop(identity, control);
    const asked = on.spec({ env: { A: "1" } });
    expect(await on.pods.create(identity, asked, update)).toMatchObject({ status: "running", updated: ["env"], differs: [] });
  });
});

describe("without being told to update, a create", () => {
  it("starts a pod that is stopped as it was, and says what was asked otherwise", async () => {
    const { identity, first } = await made("stopped-ignore");
    await on.pods.stop(identity, control);
    expect(await on.pods.create(identity, on.spec({ image: on.cluster.image2 }), control)).toMatchObject({
      status: "running",
      image: first.image,
      differs: ["image"],
      updated: [],
    });
  });

  it("refuses, if that is asked, and leaves the pod as it is, running or stopped", async () => {
    const { identity, first } = await made("rejected");
    const asked = on.spec({ image: on.cluster.image2, user: 1001 });
    const refusal = { code: "changed", message: expect.stringContaining("image, user") as string };
    await expect(on.pods.create(identity, asked, reject)).rejects.toMatchObject({ ...refusal, observation: { status: "running" } });
    expect(await on.pods.create(identity, on.spec(), reject)).toEqual(first);
    await on.pods.stop(identity, control);
    await expect(on.pods.create(identity, asked, reject)).rejects.toMatchObject({ ...refusal, observation: { status: "stopped" } });
    expect(await on.pods.create(identity, on.spec(), reject)).toMatchObject({ status: "running", differs: [] });
  });
});
