import { BlockList, isIP } from "node:net";
import type { Cause } from "./api-error.ts";
import { isMap } from "./object.ts";
import type { JsonMap, KubeObject } from "./object.ts";
import { bad, forbidden, required } from "./validate-words.ts";

const maps = (value: unknown): JsonMap[] => (Array.isArray(value) ? value.filter(isMap) : []);

/** What is wrong with a NetworkPolicy, in the API server's words. */
export function networkPolicy({ spec = {} }: KubeObject): Cause[] {
  const types: unknown[] = Array.isArray(spec.policyTypes) ? spec.policyTypes : [];
  const unknown = types.flatMap((type, index) => {
    const why = `Unsupported value: ${JSON.stringify(type)}: supported values: "Ingress", "Egress"`;
    return type === "Ingress" || type === "Egress" ? [] : [{ field: `spec.policyTypes[${index}]`, reason: "FieldValueNotSupported", why }];
  });
  return [...unknown, ...rules(spec.ingress, "spec.ingress", "from"), ...rules(spec.egress, "spec.egress", "to")];
}

function rules(list: unknown, path: string, side: "from" | "to"): Cause[] {
  return maps(list).flatMap((rule, index) => [
    ...maps(rule.ports).flatMap(({ port }, at) => portCauses(port, `${path}[${index}].ports[${at}].port`)),
    ...maps(rule[side]).flatMap((peer, at) => peerCauses(peer, `${path}[${index}].${side}[${at}]`)),
  ]);
}

function portCauses(port: unknown, field: string): Cause[] {
  if (port === undefined) return [];
  if (typeof port === "number") return port >= 1 && port <= 65_535 ? [] : [bad(field, port, "must be between 1 and 65535, inclusive")];
  return typeof port === "string" && /^[a-z0-9-]+$/i.test(port)
    ? []
    : [bad(field, port, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")];
}

function peerCauses({ ipBlock, podSelector, namespaceSelector }: JsonMap, field: string): Cause[] {
  const selects = podSelector !== undefined || namespaceSelector !== undefined;
  if (!isMap(ipBlock)) return selects ? [] : [required(field, "must specify a peer")];
  if (selects) return [forbidden(field, "may not specify both ipBlock and another peer")];
  const excepts: unknown[] = Array.isArray(ipBlock.except) ? ipBlock.except : [];
  const inside = excepts.flatMap((except, index) =>
    isWithin(except, ipBlock.cidr) ? [] : [bad(`${field}.ipBlock.except[${index}]`, except, "must be a strict subset of `cidr`")],
  );
  return [...rangeCauses(ipBlock.cidr, `${field}.ipBlock.cidr`), ...inside];
}

type Range = { address: string; prefix: number; family: "ipv4" | "ipv6" };

function rangeOf(text: unknown): Range | undefined {
  const [, address = "", prefix = ""] = /^([^/]*)\/(\d{1,3})$/.exec(String(text)) ?? [];
  const kind = isIP(address);
  return kind === 0 || Number(prefix) > (kind === 4 ? 32 : 128)
    ? undefined
    : { address, prefix: Number(prefix), family: kind === 4 ? "ipv4" : "ipv6" };
}

function rangeCauses(text: unknown, field: string): Cause[] {
  const range = rangeOf(text);
  if (!range) return [bad(field, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")];
  if (range.family === "ipv6") return [];
  const number = range.address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  return number % 2 ** (32 - range.prefix) === 0 ? [] : [bad(field, text, "must not have bits set beyond the prefix length")];
}

function isWithin(inner: unknown, outer: unknown): boolean {
  const [small, big] = [rangeOf(inner), rangeOf(outer)];
  if (!small || !big || small.family !== big.family || small.prefix <= big.prefix) return false;
  const list = new BlockList();
  list.addSubnet(big.address, big.prefix, big.family);
  return list.check(small.address, small.family);
}
