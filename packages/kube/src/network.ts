import { isIP } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { annotationsOf, label, labelsOf, podHash } from "./names.ts";
import type { PodIdentity } from "./names.ts";
import type { NetworkPolicy, PolicyPeer, PolicyPort, PolicyRule, Service } from "./objects.ts";

// What a pod may be connected to: addresses, or a further pod of its owner by name; at these ports, or all.
type Allowed = { cidr: string; ports?: number[] | undefined } | { pod: string; ports?: number[] | undefined };

/** A pod's fence. "all" is none at all, for trying what fences do; `internet: false`: what is allowed stands in the place of the internet. */
export type Network = "none" | "default" | "all" | { allow: Allowed[]; internet?: boolean | undefined };

// What is not the internet, though it is of those addresses: networks of one's own, of the node and of the cloud, which has its
// metadata and other services there.
const notInternetV4 = [
  "10.0.0.0/8",
  "100.64.0.0/10",
  "168.63.129.16/32", // Azure's services, on every machine there
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24", // Oracle's metadata among it
  "192.168.0.0/16",
  "198.18.0.0/15",
];
const notInternetV6 = [
  "fc00::/7", // private, with the metadata of clouds
  "fe80::/10", // the link
  "fec0::/10", // once private
  "64:ff9b:1::/48", // translated to IPv4, of one's own
  ...notInternetV4.map(translated),
];
const internet: PolicyPeer[] = [
  { ipBlock: { cidr: "0.0.0.0/0", except: notInternetV4 } },
  { ipBlock: { cidr: "::/0", except: notInternetV6 } },
];
// The cluster's own, where it runs as a Deployment, and the address of the cache that many clusters have on each node.
const dns: PolicyRule = {
  to: [
    {
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
      podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
    },
    { ipBlock: { cidr: "169.254.20.10/32" } },
  ],
  ports: portsOf([53]),
};

// As pods that have IPv6 alone write it: a translator on the way makes IPv4 of the last 32 bits.
function translated(range: string): string {
  const [address = "", bits] = range.split("/");
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  return rangeOf(`64:ff9b::${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}/${96 + Number(bits)}`);
}

type FreshPolicy = Omit<NetworkPolicy, "metadata"> & { metadata: Omit<NetworkPolicy["metadata"], "uid"> };

/** The NetworkPolicy of a pod: of all that is in its namespace, and nothing passes that it does not name. */
export function networkPolicyOf(identity: PodIdentity, network: Network = "default", service: Pick<Service, "spec">): FreshPolicy {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: {
      name: identity.deployment,
      namespace: identity.namespace,
      labels: labelsOf(identity),
      annotations: annotationsOf(identity),
    },
    spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"], ...rulesOf(identity, network, service) },
  };
}

function rulesOf(identity: PodIdentity, network: Network, service: Pick<Service, "spec">): Rules {
  if (network === "none") return { ingress: [], egress: [] };
  if (network === "all") return { ingress: [{}], egress: [{}] };
  const { allow, internet: open = true } = network === "default" ? { allow: [] } : network;
  const siblings = allow.flatMap((one) => ("pod" in one ? [{ peer: siblingOf(identity, one.pod), ...within(one.ports) }] : []));
  return {
    ingress: [{ ports: published(service) }, ...siblings.map(({ peer, ports }) => ({ from: [peer], ...(ports && { ports }) }))],
    egress: [
      dns,
      ...(open ? [{ to: internet }] : []),
      ...allow.map((one) => ({
        to: ["pod" in one ? siblingOf(identity, one.pod) : { ipBlock: { cidr: rangeOf(one.cidr) } }],
        ...within(one.ports),
      })),
    ],
  };
}

type Rules = Pick<NetworkPolicy["spec"], "ingress" | "egress">;

const within = (ports: number[] | undefined): { ports?: PolicyPort[] } => (ports === undefined ? {} : { ports: portsOf(ports) });

function portsOf(ports: number[]): PolicyPort[] {
  return ports.flatMap((port) => ["UDP", "TCP"].map((protocol) => ({ protocol, port })));
}

// To everybody: what comes by a node port, or through an ingress, has the address of a node.
function published({ spec }: Pick<Service, "spec">): PolicyPort[] {
  return (spec.ports ?? []).map(({ port, targetPort = port, protocol = "TCP" }) => ({ protocol, port: targetPort }));
}

// By the mark of the pod on it and on its namespace: nobody but podq can give it to a namespace.
function siblingOf({ installation, kind, id }: PodIdentity, name: string): PolicyPeer {
  const marked = { matchLabels: { [label.installation]: installation, [label.pod]: podHash({ installation, kind, id, name }) } };
  return { namespaceSelector: marked, podSelector: marked };
}

// One address is a range of one, and the bits beyond a prefix are no part of it: the API server takes neither.
function rangeOf(text: string): string {
  const [address = "", bits] = text.split("/");
  const [groups, size] = isIP(address) === 4 ? [address.split(".").map(Number), 8] : [groupsOf(address), 16];
  const prefix = bits === undefined ? groups.length * size : Number(bits);
  const masked = groups.map((group, index) => {
    const dropped = 2 ** (size - Math.min(Math.max(prefix - index * size, 0), size));
    return group - (group % dropped);
  });
  if (size === 8) return `${masked.join(".")}/${prefix}`;
  const { hostname } = new URL(`http://[${masked.map((group) => group.toString(16)).join(":")}]`);
  return `${hostname.slice(1, -1)}/${prefix}`;
}

function groupsOf(address: string): number[] {
  const [head = [], tail = []] = address.split("::").map((part) => (part === "" ? [] : part.split(":")));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => "0");
  return [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16));
}

/** The same fence, open at the ports that a Service publishes now; undefined for one that lets nobody in. */
export function openedAt(
  identity: PodIdentity,
  there: Pick<NetworkPolicy, "spec">,
  service: Pick<Service, "spec">,
): FreshPolicy | undefined {
  const { ingress = [] } = there.spec;
  if (!ingress.some(({ from }) => from === undefined)) return undefined;
  const others = ingress.filter(({ from }) => from !== undefined);
  const fence = networkPolicyOf(identity, "none", service);
  return { ...fence, spec: { ...there.spec, ingress: [{ ports: published(service) }, ...others] } };
}

/**
 * Whether a pod's fence is other than asked. At which ports others may come is no part of that: those are the ports that the pod
 * publishes, whoever asked for them.
 */
export function isFencedOtherwise(asked: Pick<NetworkPolicy, "spec">, there: Pick<NetworkPolicy, "spec"> | undefined): boolean {
  return there === undefined || !isDeepStrictEqual(fenceOf(asked), fenceOf(there));
}

function fenceOf({ spec }: Pick<NetworkPolicy, "spec">): object {
  const { podSelector, policyTypes, ingress = [], egress = [] } = spec;
  return {
    podSelector,
    policyTypes,
    isOpen: ingress.some(({ from }) => from === undefined),
    ingress: ingress.filter(({ from }) => from),
    egress,
  };
}
