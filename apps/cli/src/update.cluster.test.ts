import { afterAll, beforeAll, expect, it } from "vitest";
import { setScene, type Scene } from "./testing.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
  await scene.startWorker();
});
afterAll(async () => scene?.stop());

it("a create changes a pod that is there only if it is told to, and the record says what is there", async () => {
  const { cli, cluster, small } = scene;
  const pod = scene.podq.pod({ project: "changed" });
  await (await pod.create({ image: cluster.image, resources: small, labels: { team: "a" } })).result();
  const asked = [
    "create",
    "--project",
    "changed",
    "--image",
    cluster.image2,
    "--label",
    "team=b",
    "--memory",
    "64Mi",
    "--cpu-requests",
    "5m",
  ];
  const all = [...asked, "--memory-requests", "10Mi", "--json"];

  const ignored = JSON.parse((await cli(all)).stdout) as object;
  expect(ignored).toMatchObject({ image: cluster.image, labels: { team: "a" }, differs: ["image", "labels"], updated: [] });

  const rejected = await cli([...all, "--if-changed", "reject"]);
  expect(rejected).toMatchObject({ code: 1, stdout: expect.stringMatching(/"conflict"[^]*image, labels/) as string });
  expect(await pod.get()).toMatchObject({ status: "running", error: null, image: cluster.image, labels: { team: "a" } });

  const updated = JSON.parse((await cli([...all, "--if-changed", "update"])).stdout) as object;
  expect(updated).toMatchObject({
    status: "running",
    image: cluster.image2,
    labels: { team: "b" },
    differs: [],
    updated: ["image", "labels"],
  });
  expect((await pod.run("echo new")).stdout.text()).toBe("new\n");

  const broken = await cli(["create", "--project", "changed", "--image", "localhost/nope:1", "--if-changed", "update"]);
  expect(broken).toMatchObject({ code: 1, stderr: expect.stringContaining("image-not-found") as string });
  expect(await pod.get()).toMatchObject({
    status: "error",
    image: "localhost/nope:1",
    labels: {},
    updated: ["image", "resources", "labels"],
    error: { code: "image-not-found" },
  });
  expect((await cli(["get", "--project", "changed"])).stdout).toMatch(/updated\s+image, resources, labels/);
});
