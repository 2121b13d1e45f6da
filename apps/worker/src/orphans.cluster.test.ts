import { randomBytes } from "node:crypto";
import { useTestCluster, type TestCluster } from "@podq/devstack/testing";
import { createPods, podNames, type PodIdentity, type Pods } from "@podq/kube";
import { createHostKeys, createPool, loadKey, type Pool } from "@podq/ssh";
import { openStore, type NewPod, type Store } from "@podq/store";
import { pino } from "pino";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { startOrphanSweeper } from "./orphans.ts";

const installation = `t${randomBytes(4).toString("hex")}`;
const control = { timeoutMs: 60_000 };
let cluster: TestCluster;
let pool: Pool;
let store: Store;
let pods: Pods;

beforeAll(async () => {
  cluster = await useTestCluster();
  const { host, port, username, privateKey, knownHosts } = cluster.ssh;
  pool = createPool({ host, port, username, key: loadKey({ text: privateKey }).key, hostKeys: createHostKeys({ file: knownHosts }) });
  const uri = new URL(inject("services").mongodbUri);
  uri.pathname = `/${installation}`;
  store = await openStore({ uri: uri.href, appName: "podq-test" });
  pods = createPods({ ...pool, installation });
});
afterAll(async () => {
  await cluster.kubectl(["delete", "namespaces", "--selector", `podq.dev/installation=${installation}`, "--wait=false"]);
  await store.close();
  await pool.close();
  await cluster.stop();
});

const names = (id: string, generation: number, of = installation): PodIdentity =>
  podNames({ installation: of, kind: "project", id, name: "default", generation });

// The namespace alone, as podq labels it: nothing in it matters here.
async function makeNamespace({ namespace, hash, generation, kind, id, name, ...of }: PodIdentity): Promise<void> {
  const labels = {
    "app.kubernetes.io/managed-by": "podq",
    "podq.dev/installation": of.installation,
    "podq.dev/pod": hash,
    "podq.dev/generation": String(generation),
  };
  const metadata = { name: namespace, labels, annotations: { "podq.dev/kind": kind, "podq.dev/id": id, "podq.dev/name": name } };
  const { code, stderr } = await cluster.kubectl(["create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata }));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

const record = (id: string, generation: number): NewPod => {
  const identity = names(id, generation);
  const resources = { memory: "1Mi", cpu: "1m", memoryRequests: "1Mi", cpuRequests: "1m" };
  const host = { name: "default", address: "h", port: 22, username: "u" };
  return {
    owner: { project: id },
    name: "default",
    generation,
    namespace: identity.namespace,
    identity,
    image: "i",
    resources,
    labels: {},
    host,
  };
};

it("namespaces of generations that are on record as gone are deleted, and no others", async () => {
  const other = `${installation}x`;
  const gone = [names("moved-on", 1), names("deleted", 1)];
  const stay = [names("moved-on", 2), names("runs", 1), names("no-record", 1), names("deleted", 1, other)];
  await store.pods.insert("project/moved-on/default", record("moved-on", 2));
  await store.pods.insert("project/runs/default", record("runs", 1));
  const deleted = (await store.pods.insert("project/deleted/default", record("deleted", 1)))!;
  const deleting = (await store.pods.patch(deleted, { status: "deleting" }))!;
  expect(await store.pods.patch(deleting, { status: "deleted" })).not.toBeNull();
  await Promise.all([...gone, ...stay].map(makeNamespace));
  expect((await pods.all(control)).map(({ namespace }) => namespace).toSorted()).toEqual(
    [...gone, ...stay]
      .filter((one) => one.installation === installation)
      .map(({ namespace }) => namespace)
      .toSorted(),
  );

  const sweeper = startOrphanSweeper({
    store,
    pods,
    host: "default",
    worker: "w",
    everyMs: 200,
    graceMs: 1_000,
    log: pino({ level: "silent" }),
  });
  try {
    const left = async (): Promise<string[]> => {
      const all = await cluster.kubectl([
        "get",
        "namespaces",
        "-o",
        "name",
        "--selector",
        `podq.dev/installation in (${installation},${other})`,
      ]);
      return all.stdout.trim().split("\n").toSorted();
    };
    await expect.poll(left, { timeout: 60_000, interval: 200 }).toEqual(stay.map(({ namespace }) => `namespace/${namespace}`).toSorted());
  } finally {
    sweeper.stop();
    await cluster.kubectl(["delete", "namespaces", "--selector", `podq.dev/installation=${other}`, "--wait=false"]);
  }
});
