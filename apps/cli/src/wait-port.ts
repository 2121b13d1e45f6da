import { JobError, type CreateOptions, type Pod } from "@podq/client";
import { UsageError } from "./config.ts";
import { exitCodes, type CliContext } from "./context.ts";
import { plain, write } from "./output.ts";

/** A port as `--port` has it. */
export type PortOption = NonNullable<CreateOptions["ports"]>[number];

/** Options of a command that may wait for a port. */
export type Waiting = { waitPort?: number; detach?: boolean };

/** `NAME=PORT` or `NAME=PORT/udp`, once or more, as an option. */
export function collectPort(text: string, sofar: PortOption[] = []): PortOption[] {
  const [, name, port, protocol] = /^([^=]+)=(\d{1,5})(?:\/(tcp|udp))?$/i.exec(text) ?? [];
  if (name === undefined || port === undefined) throw new UsageError(`${JSON.stringify(text)} is not NAME=PORT or NAME=PORT/udp`);
  return [...sofar, { name, port: Number(port), ...(protocol?.toLowerCase() === "udp" && { protocol: "UDP" as const }) }];
}

/** Throws UsageError where a port is to be waited for by a command that does not wait. */
export function refuseWaitOfDetached({ waitPort, detach }: Waiting): void {
  if (waitPort !== undefined && detach === true) throw new UsageError("--detach does not wait, and --wait-port does");
}

/** Waits for the port that `--wait-port` names, if it does. */
export async function waitIfAsked(context: CliContext, pod: Pod, { waitPort }: Waiting): Promise<void> {
  if (waitPort !== undefined) await waitForPort(context, pod, waitPort);
}

/** Waits until something listens at a port inside a pod; what keeps it from that is told, and the exit code says so. */
export async function waitForPort(context: CliContext, pod: Pod, port: number, timeoutMs?: number): Promise<void> {
  try {
    await pod.waitForPort(port, { signal: context.interrupt, ...(timeoutMs !== undefined && { timeoutMs }) });
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    const what = error.code === "timed-out" ? `nothing listens at port ${port}` : plain(error.message);
    await write(context.stderr, `podq: ${error.code}: ${what}\n`);
    context.exit(error.state === "lost" ? exitCodes.unknown : exitCodes.failed);
  }
}
