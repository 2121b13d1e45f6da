import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PodSpec } from "./manifest.ts";
import { annotationsOf, labelsOf } from "./names.ts";
import { clusterFixture } from "./testing.ts";
import type { ClusterFixture } from "./testing.ts";

let on: ClusterFixture;
let count = 0;
beforeAll(async () => (on = await clusterFixture()));
afterAll(() => on.stop());

const control = { timeoutMs: 60_000 };
const small = { memory: "32Mi", cpu: "50m", memoryRequests: "10Mi", cpuRequests: "5m" };

describe("create names the cause", () => {
  it.each<[string, () => Partial<PodSpec>, RegExp, number]>([
    ["image-not-found", () => ({ image: "localhost/nope:1" }), /localhost\/nope:1: not found/, 5_000],
    ["image-invalid", () => ({ image: "Not An:Image::" }), /invalid reference format/, 5_000],
    [
      "unschedulable",
      () => ({ resources: { ...small, cpu: "400", cpuRequests: "300" } }),
      /nodes are available: .*Insufficient cpu/,
      6_000,
    ],
    ["policy-violation", () => ({ user: 0 }), /violates PodSecurity "restricted:latest".*runAsUser/, 5_000],
    ["start-failed", () => ({ command: ["/no/such/command"] }), /no\/such\/command.*no such file or directory/, 8_000],
    ["start-failed", () => ({ image: on.cluster.imageNoShell }), /"sh": executable file not found/, 8_000],
    ["crash-loop", () => ({ command: ["sh", "-c", "exit 3"] }), /exit code 3/, 12_000],
    ["oom-killed", () => ({ command: ["sh", "-c", "tail /dev/zero"] }), /memory/, 12_000],
    ["invalid-request", () => ({ resources: { ...small, cpuRequests: "100m" } }), /must be less than or equal to cpu limit/, 5_000],
  ])("%s, in time, and says what is there", async (code, change, words, withinMs) => {
    const identity = on.identity(`${code}-${count++}`);
    const began = performance.now();
    const error: unknown = await on.pods.create(identity, on.spec(change()), control).catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      name: "KubeError",
      code,
      message: expect.stringMatching(words),
      // What was refused before it was made has left nothing that could be in error.
      observation: {
        namespace: identity.namespace,
        ...(code === "invalid-request" ? { status: "absent" } : { status: "error", error: { code } }),
      },
    });
    expect(performance.now() - began).toBeLessThan(withinMs);
  });

  it("quota-exceeded, and tries again at once when asked again, where the cluster would wait for minutes", async () => {
    const identity = on.identity("quota");
    const namespace = {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: identity.namespace, labels: labelsOf(identity), annotations: annotationsOf(identity) },
    };
    const quota = {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "q", namespace: identity.namespace },
      spec: { hard: { pods: "0" } },
    };
    await on.admin(["apply", "--server-side", "--validate=ignore", "-f", "-"], `${JSON.stringify(namespace)}\n${JSON.stringify(quota)}`);
    for (let round = 0; round < 2; round++)
      await expect(on.pods.create(identity, on.spec(), control)).rejects.toMatchObject({
        code: "quota-exceeded",
        message: expect.stringMatching(/exceeded quota: q, requested: pods=1/),
        observation: { status: "error", error: { code: "quota-exceeded" } },
      });
    await on.admin(["delete", "resourcequota", "q", `--namespace=${identity.namespace}`]);
    expect(await on.pods.create(identity, on.spec(), { timeoutMs: 20_000 })).toMatchObject({ status: "running" });
  });

  it("refuses labels that belong to Kubernetes or podq before anything is made", async () => {
    const identity = on.identity("labels");
    for (const key of ["podq.dev/pod", "app.kubernetes.io/managed-by", "pod-security.kubernetes.io/enforce"])
      await expect(on.pods.create(identity, on.spec({ labels: { [key]: "x" } }), control)).rejects.toMatchObject({
        code: "invalid-request",
      });
    expect(await on.pods.observe(identity, control)).toMatchObject({ status: "absent" });
  });
});
