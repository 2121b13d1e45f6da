import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { networkPolicyOf } from "./network.ts";
import type { NetworkPolicy } from "./objects.ts";
import type { PodIdentity } from "./names.ts";
import { clusterFixture } from "./testing.ts";
import type { ClusterFixture } from "./testing.ts";

let on: ClusterFixture;
const control = { timeoutMs: 60_000 };
const service = { spec: { ports: [{ port: 8080, targetPort: 8080, protocol: "TCP" as const }] } };

beforeAll(async () => (on = await clusterFixture()));
afterAll(async () => on.stop());

const policies = async ({ namespace }: PodIdentity): Promise<NetworkPolicy[]> =>
  JSON.parse(await on.admin(["get", "networkpolicies", `--namespace=${namespace}`, "-o", "json"])).items;

describe("a pod", () => {
  it("is fenced in from its first moment, by one policy for all that is in its namespace", async () => {
    const identity = on.identity("fenced");
    await on.pods.create(identity, on.spec(), control);
    const [policy, ...more] = await policies(identity);
    expect(more).toEqual([]);
    expect(policy).toMatchObject(networkPolicyOf(identity, "default", service));
  });

  it("that runs in another fence than asked says so, and gets the other one without an end of what runs in it", async () => {
    const identity = on.identity("moved");
    const allow = [{ cidr: "10.1.2.3/8", ports: [5432] }, { cidr: "fd00::1" }, { pod: "db" }];
    const first = await on.pods.create(identity, on.spec({ network: { allow } }), control);
    expect(await on.pods.create(identity, on.spec({ network: { allow } }), control)).toMatchObject({ differs: [] });
    expect(await on.pods.create(identity, on.spec(), control)).toMatchObject({ differs: ["network"] });
    const moved = await on.pods.create(identity, on.spec({ network: "none" }), { ...control, ifChanged: "update", word: "w" });
    expect(moved).toMatchObject({ status: "running", differs: [], updated: ["network"], containerId: first.containerId });
    const [policy] = await policies(identity);
    expect(policy!.spec).toEqual({ podSelector: {}, policyTypes: ["Ingress", "Egress"] });
    expect(await on.pods.create(identity, on.spec({ network: "none" }), control)).toMatchObject({ differs: [] });
  });

  it("without a fence, as an earlier version made it, differs in that", async () => {
    const identity = on.identity("unfenced");
    await on.pods.create(identity, on.spec(), control);
    await on.admin(["delete", "networkpolicy", "--all", `--namespace=${identity.namespace}`]);
    expect(await on.pods.create(identity, on.spec(), control)).toMatchObject({ differs: ["network"] });
  });
});
