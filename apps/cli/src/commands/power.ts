import type { Command } from "commander";
import { addressOf, finish, wholeNumber, withOwner, withPodq, type CliContext, type OwnerOptions } from "../context.ts";
import { json, podLines, write } from "../output.ts";
import { given } from "./create.ts";

type Options = OwnerOptions & { timeoutMs?: number; idempotencyKey?: string; callbackUrl?: string; detach?: boolean; json?: boolean };

const verbs = [
  ["stop", "end all that runs in an owner's pod; its record, volume and service stay"],
  ["start", "make a stopped pod run again, as it was"],
  ["restart", "make the processes of an owner's pod begin anew"],
] as const;

/** `podq stop`, `podq start`, `podq restart` and `podq extend`. */
export function addPower(program: Command, context: CliContext): void {
  for (const [verb, description] of verbs)
    withOwner(program.command(verb).description(description))
      .option("--timeout-ms <ms>", "time for it (default 300000)", wholeNumber)
      .option("--idempotency-key <key>", "the same key with the same request is the first job again")
      .option("--callback-url <url>", "where podq's API tells of the job's end")
      .option("--detach", "print the job's id and do not wait")
      .option("--json", "print JSON")
      .action(async (options: Options) => {
        const address = addressOf(options);
        const { timeoutMs, idempotencyKey, callbackUrl } = options;
        const request = given({ timeoutMs, idempotencyKey, callbackUrl });
        await withPodq(async (podq) =>
          finish<"stop" | "start" | "restart">(context, await podq.pod(address)[verb](request), options, podLines),
        );
      });

  withOwner(program.command("extend").description("report that an owner's pod is in use, and give it longer to live"))
    .option("--ttl-ms <ms>", "how long it may live from now", wholeNumber)
    .option("--json", "print JSON")
    .action(async (options: OwnerOptions & { ttlMs?: number; json?: boolean }) => {
      const address = addressOf(options);
      await withPodq(async (podq) => {
        const pod = await podq.pod(address).extend(given({ ttlMs: options.ttlMs }));
        await write(context.stdout, options.json ? json(pod) : podLines(pod));
      });
    });
}
