import { BlockList, isIP } from "node:net";
import { describe, expect, it } from "vitest";
import { podNames } from "./names.ts";
import { isFencedOtherwise, networkPolicyOf } from "./network.ts";
import type { Network } from "./network.ts";
import type { PolicyPeer } from "./objects.ts";

const of = (name: string, id = "p1") => podNames({ installation: "podq", kind: "project", id, name, generation: 2 });
const service = { spec: { ports: [{ port: 80, targetPort: "http" }, { port: 5432 }, { port: 53, protocol: "UDP" as const }] } };
const policy = (network?: Network, name = "default", id = "p1") => networkPolicyOf(of(name, id), network, service);

const listed = (ranges: string[]): BlockList => {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? "ipv4" : "ipv6");
  }
  return list;
};
// As a network reads a rule: an address of the same family, in the block and in none of its exceptions.
const isIn = (address: string, { ipBlock }: PolicyPeer): boolean => {
  if (ipBlock === undefined || isIP(ipBlock.cidr.split("/")[0]!) !== isIP(address)) return false;
  const family = isIP(address) === 4 ? "ipv4" : "ipv6";
  return listed([ipBlock.cidr]).check(address, family) && !listed(ipBlock.except ?? []).check(address, family);
};
const reaches = (network: Network | undefined, address: string, port: number): boolean =>
  policy(network).spec.egress!.some(
    ({ to = [], ports }) => to.some((peer) => isIn(address, peer)) && (ports === undefined || ports.some((one) => one.port === port)),
  );

describe("a pod's fence", () => {
  it("is around all that is in its namespace, both ways", () => {
    expect(policy()).toMatchObject({
      metadata: { name: "workspace-2", namespace: of("default").namespace },
      spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
    });
  });

  it.each([
    ["1.1.1.1", 443, true],
    ["2606:4700::1111", 443, true],
    ["64:ff9b::101:101", 443, true],
    ["10.96.0.1", 443, false],
    ["10.0.0.7", 8080, false],
    ["172.16.0.1", 80, false],
    ["172.31.255.255", 80, false],
    ["172.32.0.1", 80, true],
    ["192.168.1.1", 80, false],
    ["100.64.0.1", 80, false],
    ["100.100.100.200", 80, false],
    ["169.254.169.254", 80, false],
    ["169.254.20.10", 53, true],
    ["169.254.20.10", 80, false],
    ["168.63.129.16", 80, false],
    ["192.0.0.192", 80, false],
    ["fd00:ec2::254", 80, false],
    ["fe80::1", 80, false],
    ["64:ff9b::a00:1", 80, false],
    ["64:ff9b::a9fe:a9fe", 80, false],
  ])("by default: %s at %i: %s", (address, port, open) => {
    expect(reaches(undefined, address, port)).toBe(open);
    expect(reaches("default", address, port)).toBe(open);
  });

  it("lets the pod ask the cluster's DNS, and others come to the ports that it publishes", () => {
    const { ingress, egress } = policy().spec;
    expect(egress![0]).toMatchObject({
      to: [{ podSelector: { matchLabels: { "k8s-app": "kube-dns" } } }, {}],
      ports: [
        { protocol: "UDP", port: 53 },
        { protocol: "TCP", port: 53 },
      ],
    });
    const ports = [
      { protocol: "TCP", port: "http" },
      { protocol: "TCP", port: 5432 },
      { protocol: "UDP", port: 53 },
    ];
    expect(ingress).toEqual([{ ports }]);
  });

  it("lets nothing through for none", () => {
    expect(policy("none").spec).toMatchObject({ ingress: [], egress: [] });
  });

  it("opens what is allowed, beside the internet or in its place", () => {
    const allow = [{ cidr: "10.1.0.0/16", ports: [5432] }, { cidr: "10.2.0.1" }];
    expect(reaches({ allow }, "10.1.2.3", 5432)).toBe(true);
    expect(reaches({ allow }, "10.1.2.3", 22)).toBe(false);
    expect(reaches({ allow }, "10.2.0.1", 22)).toBe(true);
    expect(reaches({ allow }, "10.2.0.2", 22)).toBe(false);
    expect(reaches({ allow }, "1.1.1.1", 443)).toBe(true);
    expect(reaches({ allow, internet: false }, "1.1.1.1", 443)).toBe(false);
    expect(reaches({ allow, internet: false }, "10.2.0.1", 22)).toBe(true);
  });

  it.each([
    ["10.1.2.3", "10.1.2.3/32"],
    ["10.1.2.3/8", "10.0.0.0/8"],
    ["172.31.255.1/12", "172.16.0.0/12"],
    ["1.2.3.4/0", "0.0.0.0/0"],
    ["fd00::1", "fd00::1/128"],
    ["fd12:3456:789a::/16", "fd12::/16"],
    ["2001:db8:1:2:3:4:5:6/45", "2001:db8::/45"],
    ["::/0", "::/0"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0/128"],
  ])("writes %s as the API server wants it, %s", (cidr, written) => {
    expect(policy({ allow: [{ cidr }], internet: false }).spec.egress!.at(-1)).toEqual({ to: [{ ipBlock: { cidr: written } }] });
  });

  it("opens the way to another pod of the same owner, and from it, by marks that only this one's has", () => {
    const { ingress, egress } = policy({ allow: [{ pod: "db", ports: [5432] }] }).spec;
    const { hash } = of("db");
    const peer = { matchLabels: { "podq.dev/installation": "podq", "podq.dev/pod": hash } };
    const ports = [
      { protocol: "UDP", port: 5432 },
      { protocol: "TCP", port: 5432 },
    ];
    expect(egress!.at(-1)).toEqual({ to: [{ namespaceSelector: peer, podSelector: peer }], ports });
    expect(ingress!.at(-1)).toEqual({ from: [{ namespaceSelector: peer, podSelector: peer }], ports });
    expect(policy({ allow: [{ pod: "db" }] }, "default", "p2").spec.egress!.at(-1)).not.toMatchObject({ to: [{ podSelector: peer }] });
  });
});

describe("a fence that stands", () => {
  it("is as asked whatever ports the pod publishes, and whatever the API server left out", () => {
    const asked = networkPolicyOf(of("default"), "default", { spec: {} });
    expect(isFencedOtherwise(asked, policy())).toBe(false);
    const { podSelector, policyTypes } = policy("none").spec;
    expect(isFencedOtherwise(policy("none"), { ...policy("none"), spec: { podSelector, policyTypes } })).toBe(false);
  });

  it("is other than asked where it lets other things through, or is not there", () => {
    expect(isFencedOtherwise(policy(), undefined)).toBe(true);
    expect(isFencedOtherwise(policy("none"), policy())).toBe(true);
    expect(isFencedOtherwise(policy(), policy("none"))).toBe(true);
    expect(isFencedOtherwise(policy({ allow: [{ cidr: "10.0.0.0/8" }] }), policy({ allow: [{ cidr: "10.0.0.0/9" }] }))).toBe(true);
  });
});
