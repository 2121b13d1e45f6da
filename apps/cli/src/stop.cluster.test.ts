import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { setScene, type Scene } from "./testing.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
});
afterAll(async () => scene?.stop());

it("a worker that is frozen while it stops, for longer than its grace time, hands over and ends with 0 when it wakes up", async () => {
  const { podq, cluster, small } = scene;
  const graceMs = 6_000;
  const pod = podq.pod({ project: "s" });
  const made = await pod.create({ image: cluster.image, resources: small });
  const job = await pod.exec("echo begun; sleep 20");
  const worker = await scene.startWorker({ PODQ_GRACE_MS: String(graceMs), PODQ_LEASE_MS: "60000", PODQ_LOG_LEVEL: "info" });
  await made.result();
  await expect.poll(async () => (await job.status()).state, { timeout: 30_000 }).toBe("running");
  const stopping = Promise.withResolvers<void>();
  worker.stderr?.on("data", (chunk: Buffer) => {
    if (chunk.includes('"stopping"')) stopping.resolve();
  });
  const exited = once(worker, "exit");
  worker.kill("SIGTERM");
  await stopping.promise;
  worker.kill("SIGSTOP");
  expect(worker.exitCode).toBeNull();
  await delay(graceMs + 1_000); // what is tested is that this time does not count
  worker.kill("SIGCONT");
  expect(await exited).toEqual([0, null]);
  expect((await job.status()).attempts.map(({ why }) => why)).toEqual(["the worker is shutting down"]);
});
