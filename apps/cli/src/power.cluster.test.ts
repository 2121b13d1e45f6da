import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { setScene, type Scene } from "./testing.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
  await scene.startWorker();
});
afterAll(async () => scene?.stop());

const create = async (project: string): Promise<void> => {
  await (await scene.podq.pod({ project }).create({ image: scene.cluster.image, resources: scene.small })).result();
};

describe("a pod", () => {
  it("that is stopped runs nothing until it is started, and keeps its record and address", async () => {
    await create("paused");
    const pod = scene.podq.pod({ project: "paused" });
    const before = (await pod.get())!;
    expect(await scene.cli(["stop", "--project", "paused"])).toMatchObject({
      code: 0,
      stderr: expect.not.stringContaining("podq:") as string,
    });
    expect(await pod.get()).toMatchObject({
      status: "stopped",
      podName: null,
      stoppedAt: expect.any(Date) as Date,
      service: { ports: before.service.ports.map((port) => ({ ...port, url: null })) }, // it is on no node now
    });
    await expect(pod.run("true")).rejects.toMatchObject({
      code: "pod-not-running",
      message: expect.stringContaining("start it first") as string,
    });
    expect(await scene.cli(["start", "--project", "paused", "--json"])).toMatchObject({ code: 0 });
    const after = (await pod.get())!;
    expect(after).toMatchObject({
      status: "running",
      generation: before.generation,
      stoppedAt: null,
      service: { nodePort: before.service.nodePort },
    });
    expect((await pod.run("echo hi")).stdout.text()).toBe("hi\n");
  });

  it("that is stopped is started by an exec that says so", async () => {
    await create("woken");
    const pod = scene.podq.pod({ project: "woken" });
    await (await pod.stop()).result();
    expect((await scene.cli(["exec", "--project", "woken", "--start-if-stopped", "-c", "echo up"])).stdout).toBe("up\n");
    expect((await pod.get())!.status).toBe("running");
  });

  it("begins anew at a restart: what ran in it is gone", async () => {
    await create("anew");
    const pod = scene.podq.pod({ project: "anew" });
    const { podUid } = (await pod.get())!;
    await pod.run("sleep 1000 & echo left");
    expect(await scene.cli(["restart", "--project", "anew"])).toMatchObject({ code: 0 });
    expect((await pod.get())!.podUid).not.toBe(podUid);
    expect((await pod.run("ps | grep -c '[s]leep 1000' || true")).stdout.text()).toBe("0\n");
  });

  it.for(["stop", "start", "restart"] as const)("that never was cannot %s, and says what to do", async (verb) => {
    const pod = scene.podq.pod({ project: "never" });
    const job = await pod[verb]();
    await expect(job.result()).rejects.toMatchObject({
      code: "pod-not-running",
      message: "pod project/never/default was never created; create it first",
    });
  });

  it("is deleted with all that waits in it when it has lived for as long as it may", async () => {
    await create("short");
    const pod = scene.podq.pod({ project: "short" });
    const running = await pod.exec("sleep 1000");
    const { stdout } = await scene.cli(["extend", "--project", "short", "--ttl-ms", "1500"]);
    expect(stdout).toContain("deleted at");
    await expect(running.result({ timeoutMs: 30_000 })).rejects.toMatchObject({ code: "cancelled" });
    await expect.poll(async () => (await pod.get())!.status, { timeout: 30_000 }).toBe("deleted");
    await expect(pod.extend({ ttlMs: 1_000 })).rejects.toMatchObject({ code: "not-found" });
  });

  it("whose objects are gone says so when it is to be started, and a create makes it again", async () => {
    await create("lost");
    const { namespace } = (await scene.podq.pod({ project: "lost" }).get())!;
    await scene.cluster.kubectl(["delete", "namespace", namespace]);
    await expect(
      scene.podq
        .pod({ project: "lost" })
        .start()
        .then(async (job) => job.result()),
    ).rejects.toMatchObject({ code: "pod-not-running" });
    await create("lost");
    expect((await scene.podq.pod({ project: "lost" }).run("echo back")).stdout.text()).toBe("back\n");
  });
});
