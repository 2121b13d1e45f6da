import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endProcess, setScene, type Scene } from "./testing.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
  await scene.startWorker();
  const { podq, cluster, small } = scene;
  await (await podq.pod({ project: "s" }).create({ image: cluster.image, resources: { ...small, cpu: "1" } })).result();
});
afterAll(async () => scene?.stop());

const written = async (id: string, text: string): Promise<void> => {
  await expect.poll(async () => (await scene.cli(["output", id])).stdout, { timeout: 30_000, interval: 200 }).toContain(text);
};

describe("a signal", () => {
  it("reaches the command from any process; what it dies of is named in the result", async () => {
    const job = await scene.podq.pod({ project: "s" }).exec("trap 'echo hup' HUP; echo ready; while :; do sleep 0.1; done");
    await written(job.id, "ready");
    expect(await job.signal("SIGHUP")).toBe("sent");
    await written(job.id, "hup");
    expect(await scene.cli(["signal", job.id, "SIGUSR1"])).toEqual({ code: 0, stdout: "sent\n", stderr: "" });
    expect(await job.result()).toMatchObject({ exitCode: 138, signal: "SIGUSR1" });
    expect(await scene.cli(["signal", job.id, "SIGUSR1"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("conflict") as string,
    });
  });

  it("is not taken for podq's when the command sends it to itself", async () => {
    const result = await scene.podq.pod({ project: "s" }).run("kill -USR1 $$");
    expect(result).toMatchObject({ exitCode: 138, signal: null });
  });

  it("is passed on by the next worker when the one that was asked is killed", async () => {
    const victim = await scene.startWorker();
    for (;;) {
      const job = await scene.podq.pod({ project: "s" }).exec("trap 'echo hup' HUP; echo ready; while :; do sleep 0.1; done");
      await written(job.id, "ready");
      const mine = (await job.status()).attempts[0]!.worker.includes(`-${victim.pid}-`);
      if (mine) victim.kill("SIGSTOP");
      const answer = job.signal("SIGHUP");
      await expect.poll(async () => (await job.status()).signals).toHaveLength(1);
      if (mine) await endProcess(victim, "SIGKILL");
      expect(await answer).toBe("sent");
      await written(job.id, "hup");
      expect(await job.signal("SIGKILL")).toBe("sent");
      expect(await job.result()).toMatchObject({ exitCode: 137, signal: "SIGKILL" });
      if (mine) return;
    }
  });
});
