import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useTestCluster } from "../testing.ts";
import type { TestCluster } from "../testing.ts";
import { objectsIn } from "./testing.ts";

let cluster: TestCluster;
const space = `dv-${randomBytes(3).toString("hex")}-fence`;

beforeAll(async () => {
  cluster = await useTestCluster();
  await cluster.kubectl(["create", "namespace", space]);
});
afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", "--wait=false", space]);
  await cluster.stop();
});

const apply = async (spec: object): Promise<{ code: number; stdout: string; stderr: string }> => {
  const policy = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name: "fence", namespace: space }, spec };
  return cluster.kubectl(
    ["apply", "--server-side", "--force-conflicts", "--validate=ignore", "-o", "json", "-f", "-"],
    JSON.stringify(policy),
  );
};
const to = (peer: object): object => ({ podSelector: {}, egress: [{ to: [peer] }] });

describe("a NetworkPolicy", () => {
  it("is kept as it was applied, with what the server adds, and is found by kubectl", async () => {
    const peer = { ipBlock: { cidr: "0.0.0.0/0", except: ["10.0.0.0/8"] } };
    const { code, stdout } = await apply({ podSelector: {}, ingress: [], egress: [{ to: [peer], ports: [{ port: 443 }] }] });
    expect(code).toBe(0);
    const [made] = objectsIn(stdout);
    expect(made?.spec).toEqual({
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
      egress: [{ to: [peer], ports: [{ port: 443, protocol: "TCP" }] }],
    });
    expect((await cluster.kubectl(["get", "netpol", "-n", space, "-o", "name"])).stdout).toBe("networkpolicy.networking.k8s.io/fence\n");
  });

  it.each([
    ["no range", to({ ipBlock: { cidr: "x" } }), 'spec.egress[0].to[0].ipBlock.cidr: Invalid value: "x": must be a valid CIDR value'],
    ["bits beyond the prefix", to({ ipBlock: { cidr: "10.1.0.0/8" } }), "must not have bits set beyond the prefix length"],
    [
      "an exception outside",
      to({ ipBlock: { cidr: "10.0.0.0/8", except: ["11.0.0.0/8"] } }),
      'except[0]: Invalid value: "11.0.0.0/8": must be a strict subset of `cidr`',
    ],
    ["an empty peer", to({}), "spec.egress[0].to[0]: Required value: must specify a peer"],
    ["a peer twice", to({ podSelector: {}, ipBlock: { cidr: "10.0.0.0/8" } }), "Forbidden: may not specify both ipBlock and another peer"],
    [
      "port 0",
      { podSelector: {}, ingress: [{ ports: [{ port: 0 }] }] },
      "spec.ingress[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
    ],
    ["another direction", { podSelector: {}, policyTypes: ["Up"] }, 'spec.policyTypes[0]: Unsupported value: "Up"'],
  ])("with %s is refused", async (_what, spec, words) => {
    const { code, stderr } = await apply(spec);
    expect(code).toBe(1);
    expect(stderr).toContain(words);
  });
});
