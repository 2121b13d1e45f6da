import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endProcess, setScene, type Scene } from "./testing.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
  await scene.startWorker();
});
afterAll(async () => scene?.stop());

const resources = (): string[] => ["--memory", "64Mi", "--cpu-requests", "5m", "--memory-requests", "10Mi"];

describe("podq on the command line", () => {
  it("creates a pod, runs a command whose streams and exit code it passes through, and deletes the pod", async () => {
    const { cli, cluster } = scene;
    const made = await cli(["create", "--project", "p1", "--image", cluster.image, ...resources(), "--json"]);
    expect(made).toMatchObject({ code: 0, stderr: "" });
    const record = JSON.parse(made.stdout) as { namespace: string; status: string; generation: number; service: { accessUrl: string } };
    expect(record).toMatchObject({ status: "running", generation: 1, owner: { project: "p1" }, name: "default" });
    expect(await cli(["exec", "--project", "p1", "--", "sh", "-c", "echo out; echo err >&2; exit 3"])).toEqual({
      code: 3,
      stdout: "out\n",
      stderr: "err\n",
    });
    expect(await cli(["exec", "--project-id", "p1", "-i", "-c", "cd /workspace && pwd; cat"], {}, "from stdin")).toEqual({
      code: 0,
      stdout: "/workspace\nfrom stdin",
      stderr: "",
    });
    const listed = await cli(["ls"]);
    expect(listed.stdout).toMatch(/project\/p1\s+running/);
    const gone = await cli(["delete", "--project", "p1"]);
    expect(gone).toEqual({ code: 0, stdout: "project/p1 is deleted\n", stderr: "" });
    const there = await cluster.kubectl(["get", "namespace", record.namespace]);
    expect(there.stderr).toContain("NotFound");
    const again = await cli(["create", "--project", "p1", "--image", cluster.image, ...resources(), "--json"]);
    expect(JSON.parse(again.stdout)).toMatchObject({ status: "running", generation: 2 });
  });

  it("keeps a command line of the pod's shell away from the host and from its own", async () => {
    const { cli } = scene;
    const tricks = ["$(id -u)", "`id -u`", "a'b\"c", "; exit 9", "$HOME", "\\", "*", "a b", "--", "%s"];
    const args = await cli(["exec", "--project", "p1", "--", "printf", "<%s>", ...tricks]);
    expect(args.stdout).toBe(tricks.map((trick) => `<${trick}>`).join(""));
    const line = await cli(["exec", "--project", "p1", "-c", "echo $(id -u); echo 'it'\"'\"'s'"]);
    expect(line.stdout).toBe("1000\nit's\n");
  });

  it("ends as 124 after a time-out, and keeps what was written before it", async () => {
    const ran = await scene.cli(["exec", "--project", "p1", "--timeout-ms", "800", "--", "sh", "-c", "echo begun; sleep 60"]);
    expect(ran).toMatchObject({ code: 124, stdout: "begun\n", stderr: expect.stringContaining("timed-out") as string });
  });

  it("says no at once to an image that is not there, and a right one repairs it", async () => {
    const { cli, cluster } = scene;
    const begun = performance.now();
    const failed = await cli(["create", "--project", "p2", "--image", "localhost/nope:1", ...resources()]);
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/image-not-found: .*localhost\/nope:1/) as string });
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(JSON.parse((await cli(["get", "--project", "p2", "--json"])).stdout)).toMatchObject({
      status: "error",
      error: { code: "image-not-found" },
    });
    expect(await cli(["exec", "--project", "p2", "--", "true"])).toMatchObject({
      code: 125,
      stderr: expect.stringContaining("pod-not-running") as string,
    });
    expect(await cli(["create", "--project", "p2", "--image", cluster.image, ...resources()])).toMatchObject({ code: 0 });
  });

  it("runs what was enqueued at once in that order", async () => {
    const { podq, cluster, small } = scene;
    const pod = podq.pod({ conversation: "c1" });
    const options = { image: cluster.image, resources: small };
    const jobs = [
      await pod.create(options),
      await pod.exec("echo 1"),
      await pod.delete(),
      await pod.create(options),
      await pod.exec("echo 2"),
    ];
    await Promise.all(jobs.map(async (job) => job.result()));
    const times = await Promise.all(jobs.map(async (job) => job.status()));
    const moments = times.flatMap(({ startedAt, endedAt }) => [startedAt!.getTime(), endedAt!.getTime()]);
    expect(moments).toEqual(moments.toSorted((a, b) => a - b));
    expect((await pod.get())!.generation).toBe(2);
  });

  it("makes one pod for many creates of one owner at once", async () => {
    const { podq, cluster, small } = scene;
    const records = await Promise.all(
      Array.from({ length: 20 }, async () =>
        (await podq.pod({ project: "crowd" }).create({ image: cluster.image, resources: small })).result(),
      ),
    );
    expect(new Set(records.map(({ podUid }) => podUid)).size).toBe(1);
  });
});

describe("the example in the README", () => {
  it("runs as it stands there", async () => {
    const readme = await readFile(join(import.meta.dirname, "../../../README.md"), "utf8");
    const [, example = ""] = /```ts\n(.*?)```/s.exec(readme) ?? [];
    const mongodbUri = "mongodbUri: process.env.MONGODB_URI!";
    expect(example).toContain(mongodbUri);
    const { code, stdout, stderr } = await scene.service(example.replace(mongodbUri, `${mongodbUri}, prefix: process.env.PODQ_PREFIX!`));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^http:\/\/\S+:\d+\n3 hello\n\n1\n2\n3\n$/);
  });
});

describe("a worker that is killed", () => {
  it("in the middle of an exec leaves it running: another ends the job with every byte, and it ran once", async () => {
    const { podq, cluster, small } = scene;
    const victim = await scene.startWorker();
    const pod = podq.pod({ project: "killed" });
    await (await pod.create({ image: cluster.image, resources: small })).result();
    const script =
      'echo start >> /workspace/marks; for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "line $n"; sleep 0.3; done; echo end >> /workspace/marks; exit 7';
    // Jobs until the victim has one.
    for (;;) {
      const job = await pod.exec(script);
      await expect.poll(async () => (await job.status()).state, { timeout: 10_000 }).toBe("running");
      const { attempts } = await job.status();
      const mine = attempts[0]!.worker.includes(`-${victim.pid}-`);
      if (mine) await endProcess(victim, "SIGKILL");
      const result = await job.result({ timeoutMs: 30_000 });
      expect(result).toMatchObject({ exitCode: 7 });
      expect(result.stdout.text()).toBe(Array.from({ length: 12 }, (_, n) => `line ${n + 1}\n`).join(""));
      if (!mine) {
        await pod.run("rm /workspace/marks");
        continue;
      }
      expect(result.attached).toBeGreaterThan(0);
      expect((await pod.run("cat /workspace/marks")).stdout.text()).toBe("start\nend\n");
      return;
    }
  });

  it("in the middle of a create leaves it to another, which finishes it", async () => {
    const { podq, cluster, small } = scene;
    const victim = await scene.startWorker();
    for (let mine = false, n = 0; !mine; n++) {
      const job = await podq.pod({ project: `made-${n}` }).create({ image: cluster.image, resources: small });
      await expect.poll(async () => (await job.status()).state, { timeout: 10_000 }).toBe("running");
      mine = (await job.status()).attempts[0]!.worker.includes(`-${victim.pid}-`);
      if (mine) await endProcess(victim, "SIGKILL");
      expect(await job.result({ timeoutMs: 30_000 })).toMatchObject({ status: "running" });
      expect((await job.status()).attempts).toHaveLength(mine ? 2 : 1);
    }
  });
});
