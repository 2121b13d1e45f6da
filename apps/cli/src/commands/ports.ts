import { Option, type Command } from "commander";
import { addressOf, finish, wholeNumber, withOwner, withPodq, type CliContext, type OwnerOptions } from "../context.ts";
import { podLines } from "../output.ts";
import { refuseWaitOfDetached, waitForPort, waitIfAsked, type Waiting } from "../wait-port.ts";
import { given } from "./create.ts";

type Options = OwnerOptions &
  Waiting & {
    as?: string;
    protocol?: "TCP" | "UDP";
    timeoutMs?: number;
    idempotencyKey?: string;
    callbackUrl?: string;
    json?: boolean;
  };

const askedOf = ({ timeoutMs, idempotencyKey, callbackUrl }: Options) => given({ timeoutMs, idempotencyKey, callbackUrl });

/** `podq expose`, `podq unexpose` and `podq wait-port`. */
export function addPorts(program: Command, context: CliContext): void {
  const changes = (name: string, description: string): Command =>
    withOwner(program.command(name).description(description))
      .option("--timeout-ms <ms>", "time for it (default 300000)", wholeNumber)
      .option("--idempotency-key <key>", "the same key with the same request is the first job again")
      .option("--callback-url <url>", "where podq's API tells of the job's end")
      .option("--detach", "print the job's id and do not wait")
      .option("--json", "print JSON");

  changes("expose", "make a port of an owner's pod reachable, while its processes go on")
    .argument("<port>", "its number", wholeNumber)
    .option("--as <name>", "its name (default port-NUMBER)")
    .addOption(new Option("--protocol <protocol>", "default TCP").choices(["TCP", "UDP"]))
    .option("--wait-port <port>", "wait until something listens at this port inside the pod", wholeNumber)
    .action(async (port: number, options: Options) => {
      const address = addressOf(options);
      refuseWaitOfDetached(options);
      const request = { port, ...given({ name: options.as, protocol: options.protocol }), ...askedOf(options) };
      await withPodq(async (podq) => {
        const pod = podq.pod(address);
        if (await finish(context, await pod.expose(request), options, podLines)) await waitIfAsked(context, pod, options);
      });
    });

  changes("unexpose", "make a port of an owner's pod reachable no more")
    .argument("<name>", "its name")
    .action(async (name: string, options: Options) => {
      const address = addressOf(options);
      await withPodq(async (podq) => finish(context, await podq.pod(address).unexpose(name, askedOf(options)), options, podLines));
    });

  withOwner(program.command("wait-port").description("wait until something listens at a port inside an owner's pod"))
    .argument("<port>", "its number", wholeNumber)
    .option("--timeout-ms <ms>", "how long (default 60000)", wholeNumber)
    .action(async (port: number, options: OwnerOptions & { timeoutMs?: number }) => {
      const address = addressOf(options);
      await withPodq(async (podq) => waitForPort(context, podq.pod(address), port, options.timeoutMs));
    });
}
