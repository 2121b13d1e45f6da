import type { CreateOptions } from "@podq/client";
import { UsageError } from "./config.ts";

type Network = NonNullable<CreateOptions["network"]>;
type Allowed = Exclude<Network, string>["allow"];

/** What `--allow` is. */
export const allowHelp = "CIDR[:PORT,...] that the pod may connect to, or pod:NAME[:PORT,...], a further pod of its owner; again for more";

/** `10.0.0.0/8:443`, `192.168.1.7:80,443`, `fd00::/8`, `pod:db:5432`; once or more. */
export function collectAllowed(text: string, sofar: Allowed = []): Allowed {
  const [, pod, podPorts] = /^pod:(.+?)(?::([\d,]+))?$/.exec(text) ?? [];
  if (pod !== undefined) return [...sofar, { pod, ...within(podPorts) }];
  const [, cidr, ports] = /^([0-9A-Fa-f:.]+\/\d{1,3}|[\d.]+)(?::([\d,]+))?$/.exec(text) ?? [];
  if (cidr !== undefined) return [...sofar, { cidr, ...within(ports) }];
  if (/^[0-9A-Fa-f:]+$/.test(text)) return [...sofar, { cidr: text }];
  throw new UsageError(`${JSON.stringify(text)} is not CIDR[:PORT,...] or pod:NAME[:PORT,...]`);
}

function within(text: string | undefined): { ports?: number[] } {
  return text === undefined ? {} : { ports: text.split(",").map(Number) };
}

/** The `network` of a create, if any of its options is there. `internet` is false for `--no-internet`. */
export function networkOf(options: { network?: "none" | "default"; allow?: Allowed; internet?: boolean }): Network | undefined {
  const { network, allow, internet = true } = options;
  if (allow === undefined && internet) return network;
  if (network === "none") throw new UsageError("--network none lets nothing through; leave it out beside --allow and --no-internet");
  return { allow: allow ?? [], ...(!internet && { internet }) };
}
