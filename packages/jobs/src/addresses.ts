import { BlockList, isIP } from "node:net";

// What is not one machine of the public internet (IANA's special-purpose registries). An IPv4 rule of a BlockList
// also holds for the IPv4-mapped form.
const specialV4 = [
  "0.0.0.0/8", // this network
  "10.0.0.0/8", // private
  "100.64.0.0/10", // shared by carriers
  "127.0.0.0/8", // loopback
  "169.254.0.0/16", // link-local, with the metadata services of clouds
  "172.16.0.0/12", // private
  "192.0.0.0/24", // protocol assignments
  "192.0.2.0/24", // documentation
  "192.31.196.0/24", // AS112
  "192.52.193.0/24", // AMT relays
  "192.88.99.0/24", // 6to4 relays
  "192.168.0.0/16", // private
  "192.175.48.0/24", // AS112
  "198.18.0.0/15", // benchmarks
  "198.51.100.0/24", // documentation
  "203.0.113.0/24", // documentation
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, and broadcast
  "168.63.129.16/32", // Azure's own services, on every machine there
];
// Of IPv6 only 2000::/3 is given out at all; in it, these are special, or carry an IPv4 address that a relay would dial.
const publicV6 = ["2000::/3"];
const specialV6 = [
  "2001::/23", // protocol assignments, Teredo
  "2001:db8::/32", // documentation
  "2002::/16", // 6to4
  "2620:4f:8000::/48", // AS112
  "3fff::/20", // documentation
];

const family = (address: string): "ipv4" | "ipv6" => (isIP(address) === 4 ? "ipv4" : "ipv6");

/** Whether the text is a range of addresses like `10.0.0.0/8` or `fd00::/8`, or one address. */
export function isAddressRange(text: string): boolean {
  const [address = "", bits = "0", ...more] = text.split("/");
  const kind = isIP(address);
  return kind !== 0 && more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (kind === 4 ? 32 : 128);
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    if (bits === undefined) list.addAddress(address, family(address));
    else list.addSubnet(address, Number(bits), family(address));
  }
  return list;
}

const [special, given] = [listOf([...specialV4, ...specialV6]), listOf(publicV6)];

/** Makes the rule of which addresses may be dialled for callers: those of the public internet, and the given ranges. */
export function addressRule(allowed: readonly string[]): (address: string) => boolean {
  const exceptions = listOf(allowed);
  return (text) => {
    const [address = ""] = text.split("%"); // a scope names an interface of this machine
    const kind = isIP(address);
    if (kind === 0) return false;
    if (exceptions.check(address, family(address))) return true;
    return text === address && !special.check(address, family(address)) && (kind === 4 || given.check(address, "ipv6"));
  };
}

/** The address that a URL names without any look-up; null if its host is a name. `localhost` counts as its address. */
export function literalAddress(url: string): string | null {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  if (host === "localhost" || host.endsWith(".localhost")) return "127.0.0.1";
  return isIP(host) === 0 ? null : host;
}
