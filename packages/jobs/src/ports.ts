// The ports of a pod: which there are, how they are reached, and how one is waited for.
import { z } from "zod";
import { RequestError } from "./errors.ts";
import { timeout } from "./fields.ts";

const minute = 60_000;
const hour = 60 * minute;
const maxPorts = 16;

/** A port's name, in Kubernetes' rule for the names of a container's ports; it becomes part of a host name. */
const portName = z
  .string()
  .max(15, { error: "is longer than 15 characters" })
  .regex(/^(?=.*[a-z])(?!.*--)[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, {
    error: "is no name of a port: a-z, 0-9 and single - between them, with a letter",
  });

const portNumber = z
  .int({ error: "must be a whole number" })
  .min(1, { error: "must be at least 1" })
  .max(65_535, { error: "must be at most 65535" });

const protocol = z.enum(["TCP", "UDP"]);

/** A port inside the pod, by which others reach it. `protocol` is TCP unless it says UDP. */
const port = z.strictObject({ name: portName, port: portNumber, protocol: protocol.optional() });

const isUnique = (all: readonly string[]): boolean => new Set(all).size === all.length;

/** Ports of a create, the first of which is the pod's own address. Default: `http`, 8080. */
export const ports = z
  .array(port)
  .min(1, { error: "is empty: a pod has a port at least" })
  .max(maxPorts, { error: `has more than ${maxPorts} ports` })
  .refine((all) => isUnique(all.map(({ name }) => name)), { error: "names two ports alike" })
  .refine((all) => isUnique(all.map((one) => `${one.port} ${one.protocol ?? "TCP"}`)), { error: "has a port twice" });

/** How ports are reached: at each node's address (the default), inside the cluster alone, or under host names of an ingress. */
export const access = z.enum(["nodePort", "clusterIP", "ingress"]);

/** Of an expose. Without a name the port is called `port-<number>`, or by the name that it has. */
export const exposeParams = z.strictObject({
  port: portNumber,
  name: portName.optional(),
  protocol: protocol.optional(),
  timeoutMs: timeout(hour).default(5 * minute),
});

/** Of an unexpose: the port's name. */
export const unexposeParams = z.strictObject({ name: portName, timeoutMs: timeout(hour).default(5 * minute) });

/** Of a wait until something listens at a port inside the pod. Default time 60 s. */
export const waitForPortParams = z.strictObject({ port: portNumber, timeoutMs: timeout(24 * hour).default(minute) });

// Looks where the kernel tells of its sockets, so that the image needs nothing but a shell; 0A is the state LISTEN.
const listens = `wanted=$(printf ':%04X' "$1") || exit
while :; do
  for table in /proc/net/tcp /proc/net/tcp6; do
    [ -r "$table" ] || continue
    while read -r _ address _ state _; do
      case "$address $state" in *"$wanted 0A") exit 0 ;; esac
    done <"$table"
  done
  sleep 0.1 2>/dev/null || sleep 1
done`;

/** An exec's params that wait for a port: they change nothing, so they may begin again, and go beside other parallel ones. */
type PortWait = { command: string[]; parallel: true; retryable: true; timeoutMs: number };

/** The exec that ends with 0 once something listens at a port inside the pod. Throws RequestError `invalid-request`. */
export function portWait(given: { port: number; timeoutMs?: number | undefined }): PortWait {
  const checked = waitForPortParams.safeParse(given);
  const wrong = checked.error?.issues[0];
  if (wrong !== undefined) throw new RequestError("invalid-request", `wait for a port: ${wrong.path.join(".")} ${wrong.message}`);
  const { port, timeoutMs } = checked.data!;
  return { command: ["sh", "-c", listens, "podq-wait-for-port", String(port)], parallel: true, retryable: true, timeoutMs };
}
