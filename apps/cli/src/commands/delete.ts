import { JobError, type OwnerDeletion, type PodRecord } from "@podq/client";
import type { Command } from "commander";
import { UsageError } from "../config.ts";
import { addressOf, exitCodes, finish, wholeNumber, withOwner, withPodq, type CliContext, type OwnerOptions } from "../context.ts";
import { json, ownerOf, plain, write } from "../output.ts";
import { given } from "./create.ts";

type Options = OwnerOptions & {
  all?: boolean;
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
    .option("--all", "all pods of that owner, and those that jobs of his wait to make")
    .option("--cancel-pending", "first cancel what runs and waits in this pod")
    .option("--timeout-ms <ms>", "time to get it away (default 300000)", wholeNumber)
    .option("--idempotency-key <key>", "the same key with the same request is the first job again")
    .option("--callback-url <url>", "where podq's API tells of the job's end")
    .option("--detach", "print the job's id and do not wait")
    .option("--json", "print JSON")
    .action(async (options: Options) => {
      const { cancelPending, timeoutMs, idempotencyKey, callbackUrl } = options;
      const address = addressOf(options);
      const asked = given({ cancelPending, timeoutMs, idempotencyKey, callbackUrl });
      if (options.all && options.name !== undefined) throw new UsageError("--all is every pod of that owner; leave --name out");
      await withPodq(async (podq) => {
        if (!options.all) return finish(context, await podq.pod(address).delete(asked), options, show);
        return finishAll(context, await podq.deleteOwner(address, asked), options);
      });
    });
}

type Ended = { name: string; id: string | null; error: { code: string; message: string } | null };

// A line for each pod, as they end; what went wrong with one keeps nobody from the others.
async function finishAll(context: CliContext, { jobs, failed }: OwnerDeletion, { detach, json: asJson }: Options): Promise<void> {
  const { stdout, stderr, interrupt, exit } = context;
  const endOf = async ({ name, job }: OwnerDeletion["jobs"][number]): Promise<Ended> => {
    const ended = { name, id: job.id };
    if (detach) return { ...ended, error: null };
    try {
      await job.result({ signal: interrupt });
      return { ...ended, error: null };
    } catch (error) {
      if (error instanceof JobError) return { ...ended, error: { code: error.code, message: error.message } };
      throw error;
    }
  };
  const refused = failed.map(({ name, error: { code, message } }): Ended => ({ name, id: null, error: { code, message } }));
  const told = async (one: Ended): Promise<Ended> => {
    if (asJson) return one;
    if (one.error !== null) await write(stderr, `podq: ${one.name}: ${one.error.code}: ${plain(one.error.message)}\n`);
    else await write(stdout, detach ? `${one.id}\n` : `${one.name} is deleted\n`);
    return one;
  };
  const all = await Promise.all([...refused.map(told), ...jobs.map(async (one) => told(await endOf(one)))]);
  if (asJson) await write(stdout, json(all));
  else if (all.length === 0) await write(stdout, "there was no pod\n");
  if (all.some(({ error }) => error !== null)) exit(exitCodes.failed);
}

function show(pod: PodRecord | null): string {
  return pod === null ? "there was no such pod\n" : `${ownerOf(pod)} is deleted\n`;
}
