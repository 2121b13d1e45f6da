import { afterAll, beforeAll, expect, it } from "vitest";
import { setScene, type Scene } from "./testing.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
  await scene.startWorker();
});
afterAll(async () => scene?.stop());

it("a pod is running when its probe says that it is ready, and its record tells a restart with its reason", async () => {
  const of = ["--project", "probed"];
  const small = ["--image", scene.cluster.image, "--memory-requests", "10Mi", "--cpu-requests", "5m"];
  const probes = ["--probe", 'liveness={"exec":["ls","/workspace/up"],"periodSeconds":1,"failureThreshold":1}'];
  const command = ["--", "sh", "-c", 'touch /workspace/up; trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done'];
  const create = async (): Promise<{ status: string; restarts: { count: number; last: unknown } }> => {
    const { code, stdout, stderr } = await scene.cli(["create", ...of, ...small, ...probes, "--json", ...command]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    return JSON.parse(stdout);
  };
  expect(await create()).toMatchObject({ status: "running", restarts: { count: 0, last: null } });
  await scene.podq
    .pod({ project: "probed" })
    .run("rm /workspace/up", { retryable: true })
    .catch(() => undefined);
  await expect.poll(async () => (await create()).restarts.count, { timeout: 60_000 }).toBeGreaterThan(0);
  expect((await scene.podq.pod({ project: "probed" }).get())!.restarts!.last).toMatchObject({
    reason: "Unhealthy",
    message: expect.stringMatching(/^Liveness probe failed: ls: /) as string,
    at: expect.any(Date) as Date,
  });
  expect((await scene.cli(["get", ...of])).stdout).toMatch(/^restarts +\d+, last \S+ Unhealthy, exit code 0: Liveness probe failed/m);
});

it("a pod that is never ready fails in the words of its probe", async () => {
  const args = ["create", "--project", "never", "--image", scene.cluster.image, "--timeout-ms", "15000"];
  const { code, stderr } = await scene.cli([...args, "--probe", "readiness=tcp:9999"]);
  expect(stderr).toMatch(/unhealthy: .*Readiness probe failed: dial tcp .*:9999/);
  expect(code).toBe(1);
});
