import { connect, type Podq } from "@podq/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { setScene, type Scene } from "./testing.ts";

let scene: Scene;
let http: Podq;
beforeAll(async () => {
  scene = await setScene();
  await Promise.all([1, 2].map(async () => scene.startWorker({ PODQ_OWNER_PODS: "3", PODQ_OWNER_MEMORY: "160Mi" })));
  http = await connect({ url: (await scene.startApi()).url });
});
afterAll(async () => {
  await http.close();
  await scene.stop();
});

const asked = (memory = "32Mi"): string[] => [
  "--image",
  scene.cluster.image,
  "--memory",
  memory,
  "--memory-requests",
  "1Mi",
  "--cpu-requests",
  "1m",
];
const create = async (project: string, name: string, ...rest: string[]) =>
  scene.cli(["create", "--project", project, "--name", name, ...(rest.length === 0 ? asked() : rest)]);
const namesOf = async (project: string): Promise<string[]> =>
  (await Array.fromAsync(scene.podq.pods({ project }))).filter(({ status }) => status !== "deleted").map(({ name }) => name);

describe("an owner", () => {
  it("has several pods, within his limits: the one too many of those made at once fails and leaves nothing", async () => {
    const went = await Promise.all(["a", "b", "c", "d"].map(async (name) => create("many", name)));
    expect(went.map(({ code }) => code).toSorted((x, y) => x! - y!)).toEqual([0, 0, 0, 1]);
    expect(went.find(({ code }) => code === 1)!.stderr).toMatch(/quota-exceeded: project\/many may have 3 pods and has 3 beside this one/);
    expect(await namesOf("many")).toHaveLength(3);
    const listed = await scene.cli(["ls", "--project", "many", "--json"]);
    expect((JSON.parse(listed.stdout) as { name: string }[]).map(({ name }) => name)).toEqual(await namesOf("many"));
  });

  it("deletes one and has the others still, and its place is free again", async () => {
    const [first = "", ...others] = await namesOf("many");
    expect(await scene.cli(["delete", "--project", "many", "--name", first])).toMatchObject({ code: 0 });
    expect(await namesOf("many")).toEqual(others);
    for (const name of others) expect(await scene.podq.pod({ project: "many", name }).run("echo here")).toMatchObject({ exitCode: 0 });
    const tooLarge = await create("many", "large", ...asked("100Mi"));
    expect(tooLarge.stderr).toMatch(
      /quota-exceeded: the memory limits of project\/many's pods may come to 160Mi; 2 pods beside this one came to 64Mi/,
    );
    expect(await create("many", "large", ...asked("96Mi"))).toMatchObject({ code: 0 });
  });

  it("is deleted whole, and nobody else", async () => {
    expect(await create("many2", "a")).toMatchObject({ code: 0 });
    const his = await namesOf("many");
    const { code, stdout } = await scene.cli(["delete", "--project", "many", "--all", "--json"]);
    expect(code).toBe(0);
    const told = JSON.parse(stdout) as { name: string; id: string; error: null }[];
    expect(told.map(({ name }) => name).toSorted()).toEqual(his);
    expect(told.every(({ error }) => error === null)).toBe(true);
    expect(await namesOf("many")).toEqual([]);
    expect(await namesOf("many2")).toEqual(["a"]);
    const left = await scene.cluster.kubectl([
      "get",
      "namespaces",
      "--selector",
      `podq.dev/installation=${scene.installation}`,
      "-o",
      "json",
    ]);
    const namespaces = (JSON.parse(left.stdout) as { items: { metadata: { name: string; deletionTimestamp?: string } }[] }).items;
    expect(namespaces.filter(({ metadata }) => metadata.deletionTimestamp === undefined)).toHaveLength(1);
  });

  it("is deleted whole over HTTP as well, once for one key, and one without pods is none", async () => {
    const { jobs, failed } = await http.deleteOwner({ project: "many2" }, { idempotencyKey: "k" });
    expect(failed).toEqual([]);
    expect(jobs.map(({ name }) => name)).toEqual(["a"]);
    const again = await http.deleteOwner({ project: "many2" }, { idempotencyKey: "k" });
    expect(again.jobs.map(({ job }) => job.id).every((id) => id === jobs[0]!.job.id)).toBe(true);
    await jobs[0]!.job.result();
    expect(await namesOf("many2")).toEqual([]);
    expect(await scene.podq.deleteOwner({ project: "nobody" })).toEqual({ jobs: [], failed: [] });
    expect(await scene.cli(["delete", "--project", "nobody", "--all"])).toMatchObject({ code: 0, stdout: "there was no pod\n" });
    expect(await scene.cli(["delete", "--project", "p", "--name", "n", "--all"])).toMatchObject({ code: 2 });
  });
});
