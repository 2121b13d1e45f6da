import { afterAll, beforeAll, expect, it } from "vitest";
import { setScene, type Scene } from "./testing.ts";

let scene: Scene;
let image: { PODQ_NETWORK_IMAGE: string };
beforeAll(async () => {
  scene = await setScene({ apiInPods: true });
  image = { PODQ_NETWORK_IMAGE: scene.cluster.image };
});
afterAll(async () => scene?.stop());

const create = async (project: string, ...args: string[]): Promise<unknown> => {
  const small = ["--image", scene.cluster.image, "--memory-requests", "10Mi", "--cpu-requests", "5m", "--json"];
  const { stdout, stderr } = await scene.cli(["create", "--project", project, ...small, ...args]);
  return stdout === "" ? stderr : JSON.parse(stdout);
};

it("a cluster whose network enforces no policies is found by trying: doctor, hosts and records of pods say so", async () => {
  await scene.startWorker();
  expect(await create("before")).toMatchObject({ status: "running", networkEnforced: null });
  expect((await scene.cli(["doctor", "--network"], image)).stdout).toMatch(
    /^warn {2}network: NetworkPolicies are NOT enforced: a pod that may connect to nothing still connected/m,
  );
  expect(await scene.podq.pod({ project: "before" }).get()).toMatchObject({ networkEnforced: false });
  expect(await create("after", "--allow", "10.0.0.0/8:443", "--no-internet")).toMatchObject({ networkEnforced: false, differs: [] });
  expect((await scene.cli(["get", "--project", "after"])).stdout).toMatch(/^network +its fence is not kept/m);
  expect(await scene.podq.hosts()).toMatchObject([{ network: { enforced: false, at: expect.any(Date) as Date } }]);
  // Nothing is left of the trial.
  const left = async (): Promise<string> => (await scene.cluster.kubectl(["get", "namespaces", "-o", "name"])).stdout;
  await expect.poll(left, { timeout: 30_000 }).not.toContain("podq-network");
});

it("a worker with an image for it tries by itself", { timeout: 180_000 }, async () => {
  const other = await setScene({ apiInPods: true });
  try {
    await other.startWorker({ PODQ_NETWORK_IMAGE: other.cluster.image });
    const tried = async (): Promise<unknown> => (await other.podq.hosts())[0]?.network?.enforced;
    await expect.poll(tried, { timeout: 120_000 }).toBe(false);
  } finally {
    await other.stop();
  }
});

it("a fence that is none is refused", async () => {
  expect(await create("wrong", "--allow", "10.0.0.0/40")).toMatch(/invalid-request: .*cidr must be a range of addresses/);
});
