import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Deployment, Namespace } from "./objects.ts";
import { clusterFixture } from "./testing.ts";
import type { ClusterFixture } from "./testing.ts";
import type { PodSpec } from "./manifest.ts";

let on: ClusterFixture;
const control = { timeoutMs: 60_000 };
beforeAll(async () => (on = await clusterFixture()));
afterAll(async () => on.stop());

// What a create asks for that says nothing but its image.
const resources = { memory: "200Mi", cpu: "200m", memoryRequests: "100Mi", cpuRequests: "100m" };

describe("the restricted Pod Security level", () => {
  it.each<[string, Partial<PodSpec>]>([
    ["with default settings", { resources }],
    [
      "with probes and a fence of its own",
      { network: "none", probes: { readiness: { exec: ["true"] }, liveness: { exec: ["true"] }, startup: { exec: ["true"] } } },
    ],
    ["with the image's own command, as another user", { command: ["sleep", "1000"], user: 33333, env: { A: "1" } }],
  ])("is passed by a pod %s, in a namespace whose label enforces it", async (what, change) => {
    const identity = on.identity(what.replaceAll(/\W+/g, "-"));
    expect(await on.pods.create(identity, on.spec(change), control)).toMatchObject({ status: "running" });
    const namespace: Namespace = JSON.parse(await on.admin(["get", "namespace", identity.namespace, "-o", "json"]));
    expect(namespace.metadata.labels).toMatchObject({ "pod-security.kubernetes.io/enforce": "restricted" });
  });

  it("is enforced: what violates it does not come into the namespace, and the failure names it", async () => {
    const identity = on.identity("enforced");
    const { deployment } = await on.pods.create(identity, on.spec(), control);
    const made: Deployment = JSON.parse(
      await on.admin(["get", "deployment", deployment, `--namespace=${identity.namespace}`, "-o", "json"]),
    );
    const { spec } = made.spec.template;
    const pod = (change: object): string => {
      const [container] = spec.containers;
      const { name, image } = container!;
      const safe = { name, image, securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } } };
      const containers = [{ ...safe, ...change }];
      return JSON.stringify({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "stray", namespace: identity.namespace },
        spec: { securityContext: spec.securityContext, containers },
      });
    };
    const put = async (change: object) => on.cluster.kubectl(["create", "--dry-run=server", "-f", "-"], pod(change));
    expect(await put({})).toMatchObject({ code: 0 });
    for (const change of [
      { securityContext: {} },
      { securityContext: { allowPrivilegeEscalation: true, capabilities: { drop: ["ALL"] } } },
    ])
      expect(await put(change)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/forbidden: violates PodSecurity "restricted:latest"/) as string,
      });
    await expect(on.pods.create(on.identity("violates"), on.spec({ user: 0 }), control)).rejects.toMatchObject({
      code: "policy-violation",
      message: expect.stringContaining('violates PodSecurity "restricted:latest"') as string,
    });
  });
});
