import type { PodRecord } from "@podq/client";
import type { Command } from "commander";
import { addressOf, finish, wholeNumber, withOwner, withPodq, type CliContext, type OwnerOptions } from "../context.ts";
import { ownerOf } from "../output.ts";
import { given } from "./create.ts";

type Options = OwnerOptions & {
  cancelPending?: boolean;
  timeoutMs?: number;
  idempotencyKey?: string;
  callbackUrl?: string;
  detach?: boolean;
  json?: boolean;
};

/** `podq delete`: deletes an owner's pod with all that is in it. */
export function addDelete(program: Command, context: CliContext): void {
  withOwner(program.command("delete").description("delete an owner's pod with all that is in it"))
    .option("--cancel-pending", "first cancel what runs and waits in this pod")
    .option("--timeout-ms <ms>", "time to get it away (default 300000)", wholeNumber)
    .option("--idempotency-key <key>", "the same key with the same request is the first job again")
    .option("--callback-url <url>", "where podq's API tells of the job's end")
    .option("--detach", "print the job's id and do not wait")
    .option("--json", "print JSON")
    .action(async (options: Options) => {
      const { cancelPending, timeoutMs, idempotencyKey, callbackUrl } = options;
      const address = addressOf(options);
      await withPodq(async (podq) =>
        finish(context, await podq.pod(address).delete(given({ cancelPending, timeoutMs, idempotencyKey, callbackUrl })), options, show),
      );
    });
}

function show(pod: PodRecord | null): string {
  return pod === null ? "there was no such pod\n" : `${ownerOf(pod)} is deleted\n`;
}
