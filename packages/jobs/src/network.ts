import { z } from "zod";
import { podNameSchema } from "./owner.ts";

const octet = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const ipv4 = `${octet}(\\.${octet}){3}`;
const group = "[0-9A-Fa-f]{1,4}";
// Each place in which the one :: may stand.
const short = Array.from({ length: 7 }, (_, left) => `(${group}:){1,${7 - left}}${left === 0 ? ":" : `(:${group}){1,${left}}`}`);
const ipv6 = `((${group}:){7}${group}|${short.join("|")}|:((:${group}){1,7}|:))`;
const prefix6 = "(12[0-8]|1[01][0-9]|[1-9]?[0-9])";

/** A range of addresses, or one address: `10.20.0.0/16`, `fd00::/8`, `192.0.2.7`. */
const range = z.string().regex(new RegExp(`^(${ipv4}(/(3[0-2]|[12]?[0-9]))?|${ipv6}(/${prefix6})?)$`), {
  error: "must be a range of addresses, like 10.20.0.0/16, or one address",
});

const ports = z
  .array(z.int({ error: "must be a port from 1 to 65535" }).min(1).max(65_535))
  .min(1, { error: "is empty; leave it out for all ports" })
  .max(16, { error: "has more than 16 ports" });

const allowed = z.union(
  [
    /** Addresses that the pod may connect to, at these ports (default: all). */
    z.strictObject({ cidr: range, ports: ports.optional() }),
    /** A further pod of the same owner: this one may connect to it, and it to this one, at these ports (default: all). What it does not publish, it has to allow as well. */
    z.strictObject({ pod: podNameSchema, ports: ports.optional() }),
  ],
  { error: 'must be { cidr: "10.20.0.0/16", ports?: [...] } or { pod: "name", ports?: [...] }' },
);

/**
 * What a pod may be connected to. "default": from it to DNS and the internet, but to no private, link-local or metadata address, and so
 * to no other pod; to it at the ports that it publishes. "none": nothing, either way. `{ allow }`: beside the default; with
 * `internet: false` in its place, but for DNS and the pod's ports. Only kept where the cluster's network enforces NetworkPolicies: the
 * record's `networkEnforced` says so.
 */
export const network = z.union(
  [
    z.enum(["none", "default"]),
    z.strictObject({
      allow: z.array(allowed).max(32, { error: "has more than 32 entries" }),
      internet: z.boolean().optional(),
    }),
  ],
  { error: 'must be "none", "default" or { allow: [{ cidr, ports? } or { pod, ports? }], internet? }' },
);
