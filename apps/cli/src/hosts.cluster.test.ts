import { readFile, writeFile } from "node:fs/promises";
import type { Pod } from "@podq/client";
import { startRelay, type Relay } from "@podq/devstack";
import { useTestCluster, type TestCluster } from "@podq/devstack/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort, setScene, type Scene } from "./testing.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
});
afterAll(async () => scene?.stop());

/** A host of the file, as the scene's own cluster is reached, or another one. */
async function hostOf(name: string, { ssh }: TestCluster, more: object = {}): Promise<object> {
  const keyFile = `${scene.dir}/${name}.key`;
  await writeFile(keyFile, ssh.privateKey, { mode: 0o600 });
  const { host, port, username, knownHosts } = ssh;
  return { name, ssh: { host, port, username, keyFile, knownHosts }, ...more };
}

/** A cluster whose host is reached through a relay, under the relay's port. */
async function behind(relay: Relay, { ssh, ...cluster }: TestCluster): Promise<TestCluster> {
  const knownHosts = `${scene.dir}/relay.known_hosts`;
  await writeFile(knownHosts, (await readFile(ssh.knownHosts, "utf8")).replace(`:${ssh.port} `, `:${relay.port} `));
  return { ...cluster, ssh: { ...ssh, port: relay.port, knownHosts } };
}

/** Sixty commands, one after the other, each with its output. How long they took is told where it is asked for. */
async function timed(pod: Pod, when: string): Promise<void> {
  const tookMs: number[] = [];
  for (const n of numbered(60)) {
    const beganAt = performance.now();
    expect((await pod.run(`echo ${n}`)).stdout.text()).toBe(`${n}\n`);
    tookMs.push(performance.now() - beganAt);
  }
  const [p50, p99] = [29, 58].map((at) => Math.round(tookMs.toSorted((a, b) => a - b)[at]!));
  if (process.env.PODQ_TEST_TELL) process.stderr.write(`${when}: p50 ${p50} ms, p99 ${p99} ms\n`);
}

const stallMs = 60_000;
const numbered = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

async function hostsFile(name: string, hosts: readonly object[]): Promise<{ PODQ_HOSTS_FILE: string }> {
  const path = `${scene.dir}/${name}.yaml`;
  await writeFile(path, JSON.stringify({ hosts }));
  return { PODQ_HOSTS_FILE: path };
}

describe("a hosts file with one host", () => {
  it("is all that a worker needs to know of it", async () => {
    const { cluster, podq, small } = scene;
    const file = await hostsFile("one", [await hostOf("only", cluster, { labels: { zone: "z1" }, capacity: 1 })]);
    const worker = await scene.startWorker(file);
    const pod = podq.pod({ project: "p" });
    const made = await (await pod.create({ image: cluster.image, resources: small, placement: { labels: { zone: "z1" } } })).result();
    expect(made.host).toEqual({ name: "only", address: cluster.ssh.host, port: cluster.ssh.port, username: cluster.ssh.username });
    expect((await pod.run("echo hello")).stdout.text()).toBe("hello\n");
    const again = await (await pod.create({ image: cluster.image, resources: small, placement: { labels: { zone: "z2" } } })).result();
    expect(again.differs).toEqual(["placement"]);
    const refused = async (project: string, labels: Record<string, string>): Promise<unknown> =>
      (await podq.pod({ project }).create({ image: cluster.image, placement: { labels } })).result().catch((error: unknown) => error);
    expect(await refused("too-many", {})).toMatchObject({
      code: "unschedulable",
      message: expect.stringContaining("full: only") as string,
    });
    expect(await refused("elsewhere", { zone: "z2" })).toMatchObject({ code: "unschedulable" });
    const doctor = await scene.cli(["doctor"], file);
    expect(doctor.stdout).toMatch(/^ok {4}only: cluster: /m);
    const listed = async (): Promise<string> => (await scene.cli(["hosts"])).stdout;
    await expect.poll(listed, { timeout: 60_000 }).toMatch(/^only +up +1\/1 +1 +\d+s +\S+@\S+:\d+ +zone=z1$/m);
    await scene.end(worker);
  });
});

describe("two hosts", () => {
  let other: TestCluster;
  beforeAll(async () => {
    other = await useTestCluster();
  });
  afterAll(async () => other?.stop());

  it("share the pods out, and each pod's jobs go to its own, whichever worker has them", async (test) => {
    test.skip(scene.cluster.kind === "real", "there is one real cluster");
    const { cluster, podq, small, installation } = scene;
    const file = await hostsFile("two", [await hostOf("a", cluster, { weight: 3 }), await hostOf("b", other, { labels: { disk: "big" } })]);
    const workers = [await scene.startWorker(file), await scene.startWorker(file)];
    const projects = ["s1", "s2", "s3", "s4"];
    const made = await Promise.all(
      projects.map(async (project) => (await podq.pod({ project }).create({ image: cluster.image, resources: small })).result()),
    );
    const named = await (
      await podq.pod({ project: "s5" }).create({ image: cluster.image, resources: small, placement: { labels: { disk: "big" } } })
    ).result();
    expect(named.host.name).toBe("b");
    const namespaces = async ({ kubectl }: TestCluster): Promise<number> => {
      const { stdout } = await kubectl(["get", "ns", "-o", "name", "--selector", `podq.dev/installation=${installation}`]);
      return stdout.split("\n").filter(Boolean).length;
    };
    const onA = made.filter(({ host }) => host.name === "a").length;
    expect(onA).toBeGreaterThan(0);
    expect(await namespaces(other)).toBe(projects.length - onA + 1);
    for (const { host, ...pod } of [...made, named]) {
      const ran = await podq.pod({ ...pod.owner }).run("echo $((6 * 7))");
      expect([host.name, ran.stdout.text()]).toEqual([host.name, "42\n"]);
    }
    for (const { owner } of [...made, named]) await (await podq.pod({ ...owner }).delete()).result();
    expect(await namespaces(other)).toBe(0);
    await Promise.all(workers.map(scene.end));
  });

  it("do not wait for each other: while one answers nothing, all jobs of the other come to their end, and then its own", async (test) => {
    test.skip(scene.cluster.kind === "real", "there is one real cluster");
    const { cluster, podq, small } = scene;
    const relay = await startRelay(other.ssh);
    const file = await hostsFile("stalls", [
      await hostOf("a", cluster, { labels: { name: "a" } }),
      await hostOf("b", await behind(relay, other), { labels: { name: "b" } }),
    ]);
    const worker = await scene.startWorker({ ...file, PODQ_CONCURRENCY: "16" });
    const make = async (project: string, host: string): Promise<Pod> => {
      const pod = podq.pod({ project, name: host });
      await (await pod.create({ image: cluster.image, resources: small, placement: { labels: { name: host } } })).result();
      return pod;
    };
    const quick = await make("quick", "a");
    const slow = await Promise.all(["slow1", "slow2", "slow3"].map(async (project) => make(project, "b")));
    await Promise.all([quick, ...slow].map(async (pod) => pod.run("true")));

    await timed(quick, "before");
    let over = false;
    const stall = relay.stall(stallMs).finally(() => (over = true));
    const hung = await Promise.all(numbered(200).map(async (n) => slow[n % slow.length]!.exec(`echo ${n}`, { parallel: true })));
    await timed(quick, "beside a host that hangs");
    expect(over).toBe(false);
    const states = await Promise.all(hung.map(async (job) => (await job.status()).state));
    expect(states.filter((state) => state === "queued" || state === "running")).toHaveLength(200);
    await stall;
    const results = await Promise.all(hung.map(async (job) => (await job.result({ timeoutMs: 150_000 })).stdout.text()));
    expect(results).toEqual(numbered(200).map((n) => `${n}\n`));
    await scene.end(worker);
    await relay.stop();
  }, 300_000);

  it("that is down shows as such, its jobs wait for it or fail as its file says, and other pods' jobs go on", async (test) => {
    test.skip(scene.cluster.kind === "real", "there is one real cluster");
    const { cluster, podq, small } = scene;
    const [a, b] = [await hostOf("a", cluster), await hostOf("b", other, { labels: { name: "b" } })];
    const nobodyThere = { ...b, ssh: { ...(b as { ssh: object }).ssh, port: await freePort() } };
    const first = await scene.startWorker(await hostsFile("both", [a, b]));
    const pods = await Promise.all(["down1", "down2"].map(async (project) => podq.pod({ project })));
    for (const pod of pods)
      await (await pod.create({ image: cluster.image, resources: small, placement: { labels: { name: "b" } } })).result();
    await scene.end(first);

    const second = await scene.startWorker(await hostsFile("waits", [a, nobodyThere]));
    const waits = await pods[0]!.exec("echo waited", { maxAttempts: 1 });
    await expect.poll(async () => (await waits.status()).attempts.length, { timeout: 120_000 }).toBeGreaterThan(1);
    await expect.poll(async () => (await scene.cli(["hosts"])).stdout, { timeout: 60_000 }).toMatch(/^b +down \(host-unreachable\) /m);
    const elsewhere = podq.pod({ project: "up" });
    const made = await (await elsewhere.create({ image: cluster.image, resources: small })).result();
    expect([made.host.name, (await elsewhere.run("echo on")).stdout.text()]).toEqual(["a", "on\n"]);
    await scene.end(second);

    // The attempts that met it down took nothing of the one that it had.
    const third = await scene.startWorker(await hostsFile("again", [a, b]));
    expect((await waits.result({ timeoutMs: 180_000 })).stdout.text()).toBe("waited\n");
    await scene.end(third);

    const fourth = await scene.startWorker(await hostsFile("fails", [a, { ...nobodyThere, whenDown: "fail" }]));
    const fails = await pods[1]!.exec("echo never");
    await expect(fails.result({ timeoutMs: 120_000 })).rejects.toMatchObject({ code: "host-unreachable", state: "failed" });
    expect((await fails.status()).attempts).toHaveLength(1);
    await scene.end(fourth);
  }, 400_000);

  it("of one cluster are refused by a worker and by the doctor", async () => {
    const { cluster } = scene;
    const file = await hostsFile("twice", [await hostOf("a", cluster), await hostOf("c", cluster)]);
    await expect(scene.startWorker(file)).rejects.toThrow(/hosts a and c lead to the same cluster/);
    const { code, stdout } = await scene.cli(["doctor"], file);
    expect(stdout).toMatch(/^FAIL {2}clusters: hosts a and c lead to the same cluster/m);
    expect(code).toBe(1);
  });

  it("a drained one takes no new pods, and its own go on; one that the file does not name is waited for", async (test) => {
    test.skip(scene.cluster.kind === "real", "there is one real cluster");
    const { cluster, podq, small } = scene;
    const [a, b] = [await hostOf("a", cluster), await hostOf("b", other)];
    const before = await scene.startWorker(await hostsFile("only-b", [b]));
    const old = podq.pod({ project: "old" });
    await (await old.create({ image: cluster.image, resources: small })).result();
    await scene.end(before);

    const stranger = await scene.startWorker(await hostsFile("only-a", [a]));
    const job = await old.exec("echo there");
    await expect
      .poll(async () => (await job.status()).attempts.at(-1)?.why, { timeout: 60_000 })
      .toMatch(/host-unreachable: .*host b .*is not among the hosts of this worker/);
    await scene.end(stranger);

    const worker = await scene.startWorker(await hostsFile("drained", [a, { ...b, drained: true }]));
    expect((await job.result()).stdout.text()).toBe("there\n");
    for (const project of ["n1", "n2", "n3"]) {
      const made = await (await podq.pod({ project }).create({ image: cluster.image, resources: small })).result();
      expect(made.host.name).toBe("a");
    }
    await scene.end(worker);
  });
});
