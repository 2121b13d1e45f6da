import { createSigner } from "@podq/api/signing";
import type { Command } from "commander";
import { readWebhookKey, UsageError } from "../config.ts";
import type { CliContext } from "../context.ts";
import { write } from "../output.ts";

/** `podq webhook key`: what receivers verify webhooks with. */
export function addWebhooks(program: Command, { stdout }: CliContext): void {
  program
    .command("webhook")
    .description("what has to do with telling jobs' ends to a callback URL")
    .command("key")
    .description("print the key that a token's webhooks are signed with, or those of jobs that came without a token")
    .argument("[token]", "its id, as token ls shows it")
    .action(async (token?: string) => {
      await write(stdout, `${keyOf(token ?? null) ?? noMasterKey()}\n`);
    });
}

/** The key of a token's webhooks, or of the installation's; undefined where the master key is not set. */
export function keyOf(token: string | null): string | undefined {
  const master = readWebhookKey();
  if (token !== null && !/^[0-9a-f]{12}$/.test(token))
    throw new UsageError(`${JSON.stringify(token)} is no id of a token; podq token ls shows them`);
  return master === undefined ? undefined : createSigner(master).keyOf(token);
}

function noMasterKey(): never {
  throw new UsageError("there is no master key here; set PODQ_WEBHOOK_KEY or PODQ_WEBHOOK_KEY_FILE as podq api has it");
}
