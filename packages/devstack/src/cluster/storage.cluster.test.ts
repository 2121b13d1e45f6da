import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useTestCluster } from "../testing.ts";
import type { TestCluster } from "../testing.ts";
import { until } from "../until.ts";
import type { Claim, KubeObject, Pod, StorageClass } from "./object.ts";
import { objectsIn, workload } from "./testing.ts";

let cluster: TestCluster;
const prefix = `dv-${randomBytes(3).toString("hex")}`;
const lazy = `${prefix}-lazy`;

beforeAll(async () => {
  cluster = await useTestCluster();
  const [standard] = await get<StorageClass>(["storageclass", "standard"]);
  const metadata = { name: lazy };
  const how = { provisioner: standard!.provisioner, volumeBindingMode: "WaitForFirstConsumer", allowVolumeExpansion: true };
  await apply({ apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata, ...how });
});
afterAll(async () => {
  const spaces = objectsIn((await cluster.kubectl(["get", "namespaces", "-o", "json"])).stdout).map(({ metadata }) => metadata.name);
  const mine = spaces.filter((name) => name.startsWith(prefix));
  await cluster.kubectl(["delete", "namespace", "--wait=false", "--ignore-not-found", ...mine]);
  await cluster.kubectl(["delete", "storageclass", lazy]);
  await cluster.stop();
});

async function apply(...objects: (object | string)[]): Promise<string> {
  const args = ["apply", "--server-side", "--force-conflicts", "--validate=ignore", "-f", "-"];
  const lines = objects.map((one) => (typeof one === "string" ? one : JSON.stringify(one)));
  return (await cluster.kubectl(args, lines.join("\n"))).stderr;
}

async function get<T extends KubeObject>(what: readonly string[]): Promise<T[]> {
  return objectsIn((await cluster.kubectl(["get", ...what, "-o", "json"])).stdout) as T[];
}

const claim = (namespace: string, spec: object = {}, size = "1Gi"): object => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "data", namespace },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: size } }, ...spec },
});
const claimed = { pod: { volumes: [{ name: "workspace", persistentVolumeClaim: { claimName: "data" } }] } };
const start = async (name: string, spec: object = {}): Promise<string> => {
  const space = `${prefix}-${name}`;
  await apply(workload(space, cluster.image, claimed), claim(space, spec));
  return space;
};
const phase = async (space: string): Promise<string | undefined> => (await get<Claim>(["pvc", "data", "-n", space]))[0]?.status.phase;
const running = async (space: string): Promise<Pod> =>
  until(
    "a pod runs",
    async () =>
      (await get<Pod>(["pods", "-n", space])).find(
        ({ metadata, status }) => metadata.deletionTimestamp === undefined && status.containerStatuses?.[0]?.ready,
      ),
    { timeoutMs: 30_000, everyMs: 100 },
  );
const inPod = async (space: string, script: string): Promise<string> =>
  (await cluster.kubectl(["exec", "-n", space, (await running(space)).metadata.name, "--", "sh", "-c", script])).stdout;

describe("a claim", () => {
  it("gets a volume of the default class, whose files outlive the pods that use it, and goes when none does", async () => {
    const space = await start("plain");
    await inPod(space, "echo kept >/workspace/file");
    expect((await get<Claim>(["pvc", "data", "-n", space]))[0]).toMatchObject({
      spec: { storageClassName: "standard", volumeName: expect.any(String) as string },
      status: { phase: "Bound", capacity: { storage: "1Gi" } },
    });
    const first = await running(space);
    await cluster.kubectl(["delete", "pod", "-n", space, first.metadata.name]);
    expect(await inPod(space, "cat /workspace/file")).toBe("kept\n");
    await cluster.kubectl(["delete", "pvc", "data", "-n", space, "--wait=false"]);
    expect(await phase(space)).toBe("Bound");
    await cluster.kubectl(["scale", "deployment", "ws", "-n", space, "--replicas=0"]);
    const gone = async (): Promise<boolean> => !(await cluster.kubectl(["get", "pvc", "-n", space, "-o", "name"])).stdout.includes("data");
    await expect.poll(gone, { timeout: 30_000 }).toBe(true);
  });

  it("of a class that waits for a pod is bound when one comes, and may grow if the class lets it", async () => {
    const space = `${prefix}-waits`;
    await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: space } }, claim(space, { storageClassName: lazy }));
    const words = async (): Promise<string[]> => (await get(["events", "-n", space])).map(({ reason }) => String(reason));
    await expect.poll(words, { timeout: 30_000 }).toContain("WaitForFirstConsumer");
    expect(await phase(space)).toBe("Pending");
    await apply(workload(space, cluster.image, claimed));
    await running(space);
    expect(await phase(space)).toBe("Bound");
    expect(await apply(claim(space, { storageClassName: lazy }, "2Gi"))).toBe("");
    expect(await apply(claim(space, { storageClassName: lazy }, "1Gi"))).toContain("field can not be less than");
  });

  it("of a class that is not there keeps its pod from being scheduled, and says why", async () => {
    const space = await start("no-class", { storageClassName: "nosuch" });
    const words = async (): Promise<unknown[]> => (await get(["events", "-n", space])).map(({ message }) => message);
    await expect.poll(words, { timeout: 30_000 }).toContain('storageclass.storage.k8s.io "nosuch" not found');
    const scheduled = async (): Promise<unknown> =>
      (await get<Pod>(["pods", "-n", space]))[0]?.status.conditions?.find(({ type }) => type === "PodScheduled")?.message;
    await expect.poll(scheduled, { timeout: 30_000 }).toContain("pod has unbound immediate PersistentVolumeClaims");
  });

  it("does not grow where its class does not say so, and does not change its class", async () => {
    const space = await start("fixed");
    await running(space);
    expect(await apply(claim(space, {}, "2Gi"))).toContain("only dynamically provisioned pvc can be resized");
    expect(await apply(claim(space, { storageClassName: lazy }))).toContain("spec is immutable after creation");
  });

  it("over the namespace's quota is refused", async () => {
    const space = `${prefix}-quota`;
    await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: space } });
    const spec = { hard: { "requests.storage": "1Gi" } };
    await apply({ apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "q", namespace: space }, spec });
    const refused = async (): Promise<string> => apply(claim(space, {}, "2Gi"));
    await expect.poll(refused, { timeout: 30_000 }).toMatch(/persistentvolumeclaims "data" is forbidden: exceeded quota: q/);
  });
});

it("who applies to an object of a uid makes no other one", async () => {
  const metadata = { name: `${prefix}-gone`, uid: "00000000-0000-4000-8000-000000000000" };
  expect(await apply({ apiVersion: "v1", kind: "Namespace", metadata })).toContain("uid mismatch");
});
