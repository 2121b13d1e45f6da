import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type Pod, type PodRecord, type Podq } from "@podq/client";
import { startRelay, type Relay } from "@podq/devstack";
import { useTestCluster, type TestCluster } from "@podq/devstack/testing";
import { pino } from "pino";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { startWorker, type Worker } from "../compose.ts";
import { readConfig } from "../config.ts";

const installation = `t${randomBytes(4).toString("hex")}`;
const soon = { timeout: 90_000, interval: 200 };
let cluster: TestCluster;
let relay: Relay;
let dir: string;
let podq: Podq;
let workers: Worker[];
const undo: (() => Promise<unknown>)[] = [];

// Two workers: one of them has the duty, behind a relay that can cut its watches.
beforeAll(async () => {
  cluster = await useTestCluster();
  undo.push(cluster.stop);
  relay = await startRelay(cluster.ssh);
  undo.push(relay.stop);
  dir = await mkdtemp(join(tmpdir(), "podq-test-"));
  undo.push(async () => rm(dir, { recursive: true }));
  const key = join(dir, "key");
  await writeFile(key, cluster.ssh.privateKey, { mode: 0o600 });
  const { redisUrl, mongodbUri } = inject("services");
  const uri = new URL(mongodbUri);
  uri.pathname = `/${installation}`;
  podq = await connect({ redisUrl, mongodbUri: uri.href, prefix: installation });
  undo.push(podq.close);
  const config = readConfig({
    REDIS_URL: redisUrl,
    MONGODB_URI: uri.href,
    PODQ_PREFIX: installation,
    PODQ_INSTALLATION: installation,
    PODQ_LOG_LEVEL: "silent",
    PODQ_RECONCILE_MS: "500",
    PODQ_RECONCILE_PASS_MS: "600000",
    K8S_SSH_HOST: "127.0.0.1",
    K8S_SSH_PORT: String(relay.port),
    K8S_SSH_USERNAME: cluster.ssh.username,
    K8S_SSH_KEY_FILE: key,
    K8S_SSH_TRUST_NEW_HOST: "1",
    K8S_SSH_KNOWN_HOSTS: join(dir, "known_hosts"),
  });
  workers = await Promise.all([1, 2].map(async () => startWorker(config, pino({ level: "silent" }))));
}, 120_000);
afterAll(async () => {
  await Promise.all((workers ?? []).map(async (one) => one.stop()));
  await cluster.kubectl(["delete", "namespaces", "--selector", `podq.dev/installation=${installation}`, "--wait=false"]);
  for (const one of undo.toReversed()) await one();
});

const resources = { memory: "64Mi", cpu: "100m", memoryRequests: "10Mi", cpuRequests: "5m" };

async function made(project: string, params: object = {}): Promise<{ pod: Pod; record: PodRecord; of: string[] }> {
  const pod = podq.pod({ project });
  const record = await (await pod.create({ image: cluster.image, resources, ...params })).result();
  return { pod, record, of: ["deployment", `workspace-${record.generation}`, `--namespace=${record.namespace}`] };
}

async function admin(...args: string[]): Promise<void> {
  const { code, stderr } = await cluster.kubectl(args);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
}

const shortOf = async (pod: Pod): Promise<object> => {
  const { status, error, cause, differs } = (await pod.get())!;
  return { status, error: error?.code ?? null, cause: cause?.code ?? null, differs };
};

it("a pod whose namespace somebody deletes is on record as gone, and a create makes it again", async () => {
  const { pod, record } = await made("deleted");
  await admin("delete", "namespace", record.namespace, "--wait=false");
  await expect.poll(async () => shortOf(pod), soon).toMatchObject({ status: "error", error: "not-found" });
  await expect((await pod.exec("true")).result()).rejects.toMatchObject({ code: "pod-not-running" });
  const again = await (await pod.create({ image: cluster.image, resources })).result();
  expect(again).toMatchObject({ status: "running", error: null, cause: null });
  expect(again.namespaceUid).not.toBe(record.namespaceUid);
  expect((await pod.run("echo back")).stdout.text()).toBe("back\n");
});

it("a pod that somebody scales down, up, and beyond one, is on record as that", async () => {
  const { pod, of } = await made("scaled");
  await admin("scale", ...of, "--replicas=0");
  await expect.poll(async () => shortOf(pod), soon).toEqual({ status: "stopped", error: null, cause: "changed-outside", differs: [] });
  await admin("scale", ...of, "--replicas=2");
  await expect
    .poll(async () => shortOf(pod), soon)
    .toEqual({ status: "running", error: null, cause: "changed-outside", differs: ["replicas"] });
  await admin("scale", ...of, "--replicas=1");
  await expect.poll(async () => shortOf(pod), soon).toMatchObject({ status: "running", differs: [] });
});

it("a spec that somebody changes is left, and on record with the fields", async () => {
  const { pod, record, of } = await made("drifted", { env: { A: "1" } });
  await admin("set", "env", `${of[0]}/${of[1]}`, of[2]!, "A=2");
  await expect.poll(async () => shortOf(pod), soon).toMatchObject({ status: "running", cause: "changed-outside", differs: ["env"] });
  await expect.poll(async () => (await pod.get())!.podUid, soon).not.toBe(record.podUid);
  expect((await pod.run("echo $A")).stdout.text()).toBe("2\n");
});

it("a pod that is removed and made anew by the cluster is found again, with the reason", async () => {
  const { pod, record } = await made("replaced");
  await admin("delete", "pod", record.podName!, `--namespace=${record.namespace}`, "--wait=false");
  await expect.poll(async () => shortOf(pod), soon).toMatchObject({ status: "running", cause: "pod-replaced" });
  expect((await pod.get())!.podUid).not.toBe(record.podUid);
  expect((await pod.run("echo here")).stdout.text()).toBe("here\n");
});

it("a pod that is evicted for what it wrote is replaced, and the record says by what", async () => {
  const { pod, record } = await made("evicted", { storage: "50Mi" });
  if (cluster.embedded) cluster.embedded.evict({ namespace: record.namespace });
  else await (await pod.exec("head -c 80000000 /dev/zero > /workspace/full; sleep 120")).result().catch(() => undefined);
  await expect.poll(async () => shortOf(pod), { ...soon, timeout: 180_000 }).toMatchObject({ status: "running", cause: "evicted" });
  expect((await pod.get())!.podUid).not.toBe(record.podUid);
}, 300_000);

it("a pod that is killed for its memory is on record as that, whether it comes back or not", async () => {
  const hungry = cluster.embedded ? {} : { command: ["sh", "-c", "sleep 12; exec tail /dev/zero"] };
  const { pod, record } = await made("hungry", hungry);
  cluster.embedded?.killContainers({ namespace: record.namespace });
  await expect.poll(async () => (await pod.get())!.cause?.code, { ...soon, timeout: 120_000 }).toBe("oom-killed");
}, 180_000);

it("a pod that ends again and again is in error, and runs again when it does not", async (test) => {
  test.skip(cluster.embedded === undefined, "what a container does when it is started again is scripted");
  const { pod, record } = await made("crashing");
  const undoFault = cluster.embedded!.script({ at: "run", afterMs: 200, reason: "OOMKilled" }, { namespace: record.namespace });
  cluster.embedded!.killContainers({ namespace: record.namespace }, "Error");
  await expect.poll(async () => shortOf(pod), soon).toMatchObject({ status: "error", error: "oom-killed" });
  undoFault();
  await expect.poll(async () => shortOf(pod), soon).toMatchObject({ status: "running", error: null, cause: "oom-killed" });
});

it("a pod on a node that is not heard of is in error, and runs again when the node is back", async (test) => {
  test.skip(cluster.embedded === undefined, "the node of a shared cluster is not to be lost");
  const { pod } = await made("lost");
  cluster.embedded!.setNodeReady(false);
  await expect.poll(async () => shortOf(pod), soon).toMatchObject({ status: "error", error: "node-lost" });
  cluster.embedded!.setNodeReady(true);
  await expect.poll(async () => shortOf(pod), soon).toMatchObject({ status: "running", error: null, cause: "node-lost" });
});

it("a namespace that somebody deletes and that does not go is on record with what holds it", async () => {
  const { pod, record } = await made("stuck");
  const hold = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "hold", namespace: record.namespace, finalizers: ["podq.test/hold"] },
  };
  expect(await cluster.kubectl(["create", "-f", "-"], JSON.stringify(hold))).toMatchObject({ code: 0 });
  await admin("delete", "namespace", record.namespace, "--wait=false");
  await expect
    .poll(async () => (await pod.get())!.error, soon)
    .toMatchObject({
      code: "namespace-stuck",
      message: expect.stringContaining("podq.test/hold"),
    });
  const noFinalizers = JSON.stringify({ metadata: { finalizers: null } });
  await admin("patch", "configmap", "hold", `--namespace=${record.namespace}`, "--type=merge", "-p", noFinalizers);
  await expect.poll(async () => shortOf(pod), soon).toMatchObject({ status: "error", error: "not-found" });
}, 180_000);

it("records stay fresh without a write to them, and follow the cluster again after the watches were cut", async () => {
  const { pod, record, of } = await made("fresh");
  const seenAfter = async (at: number): Promise<boolean> => (await pod.get())!.observedAt!.getTime() > at;
  await expect.poll(async () => seenAfter(record.observedAt!.getTime() + 2_000), soon).toBe(true);
  expect((await pod.get())!.version).toBe(record.version);
  for await (const listed of podq.pods({ project: "fresh" }))
    expect(listed.observedAt!.getTime()).toBeGreaterThan(record.observedAt!.getTime());

  relay.cut();
  await admin("scale", ...of, "--replicas=0");
  await expect.poll(async () => shortOf(pod), soon).toMatchObject({ status: "stopped", cause: "changed-outside" });
});

it("when the worker that has the duty goes, another takes it over", async () => {
  const { pod, of } = await made("handover");
  await workers.shift()!.stop();
  await admin("scale", ...of, "--replicas=0");
  await expect.poll(async () => shortOf(pod), soon).toMatchObject({ status: "stopped" });
});
