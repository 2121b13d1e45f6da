import type { JobState, PodStatus, SignalName } from "@podq/client";
import { buffer } from "node:stream/consumers";
import { jobStates, podStatuses, signalNames } from "@podq/jobs";
import { Argument, Option, type Command } from "commander";
import { UsageError } from "../config.ts";
import { addressOf, collectPair, exitCodes, wholeNumber, withOwner, withPodq, type CliContext, type OwnerOptions } from "../context.ts";
import { age, jobLines, json, ownerOf, podLines, write } from "../output.ts";
import { table } from "../table.ts";
import { given } from "./create.ts";

/** `podq ls | get | jobs | status | output | cancel | retry`: what is kept of pods and jobs. */
export function addRecords(program: Command, context: CliContext): void {
  const { stdout } = context;

  withOwner(program.command("ls").description("list pods"))
    .addOption(new Option("--status <status>", "only those in this status").choices(podStatuses))
    .option("--label <KEY=VALUE>", "only those with this label; again for more", collectPair)
    .option("--json", "print JSON")
    .action(async (options: OwnerOptions & { status?: PodStatus; label?: Record<string, string>; json?: boolean }) => {
      const filter = given({
        project: options.project ?? options.projectId,
        conversation: options.conversation,
        status: options.status,
        labels: options.label,
      });
      const pods = await withPodq(async (podq) => Array.fromAsync(podq.pods(filter)));
      const rows = pods.map((pod) => [
        ownerOf(pod),
        pod.error === null ? pod.status : `${pod.status} (${pod.error.code})`,
        pod.observedAt === null ? "" : age(pod.observedAt),
        age(pod.createdAt),
        pod.image,
        pod.service.accessUrl ?? "",
      ]);
      await write(stdout, options.json ? json(pods) : table(["POD", "STATUS", "SEEN", "AGE", "IMAGE", "ACCESS URL"], rows, stdout.columns));
    });

  withOwner(program.command("get").description("show an owner's pod"))
    .option("--json", "print JSON")
    .action(async (options: OwnerOptions & { json?: boolean }) => {
      const address = addressOf(options);
      const pod = await withPodq(async (podq) => podq.pod(address).get());
      if (pod !== null) return write(stdout, options.json ? json(pod) : podLines(pod));
      await write(context.stderr, "podq: not-found: there is no such pod\n");
      context.exit(exitCodes.failed);
    });

  withOwner(program.command("jobs").description("list jobs, newest first"))
    .addOption(new Option("--state <state>", "only those in this state").choices(jobStates))
    .option("--limit <n>", "at most so many", wholeNumber, 50)
    .option("--json", "print JSON")
    .action(async (options: OwnerOptions & { state?: JobState; limit: number; json?: boolean }) => {
      if (options.limit < 1) throw new UsageError("--limit must be at least 1");
      const { state, name, conversation } = options;
      const filter = given({ project: options.project ?? options.projectId, conversation, name, state });
      const jobs = await withPodq(async (podq) => {
        const found = [];
        for await (const { at } of podq.jobs(filter)) if (found.push(at) >= options.limit) break;
        return found;
      });
      const rows = jobs.map((job) => [
        job.id,
        job.kind,
        ownerOf(job),
        job.error === null ? job.state : `${job.state} (${job.error.code})`,
        age(job.createdAt),
      ]);
      await write(stdout, options.json ? json(jobs) : table(["JOB", "KIND", "POD", "STATE", "AGE"], rows, stdout.columns));
    });

  program
    .command("status")
    .description("show where a job stands")
    .argument("<job>", "its id")
    .option("--json", "print JSON")
    .action(async (id: string, options: { json?: boolean }) => {
      const status = await withPodq(async (podq) => podq.job(id).status());
      await write(stdout, options.json ? json(status) : jobLines(status));
    });

  program
    .command("output")
    .description("print an exec's output: what is kept of it")
    .argument("<job>", "its id")
    .option("-f, --follow", "go on until the job has ended")
    .action(async (id: string, options: { follow?: boolean }) => {
      await withPodq(async (podq) => {
        const pieces = podq.job(id).output({ follow: options.follow === true, signal: context.interrupt });
        for await (const { stream, data } of pieces) await write(context[stream], data);
      });
    });

  program
    .command("cancel")
    .description("ask for a job's end")
    .argument("<job>", "its id")
    .option("--reason <text>", "why", "cancelled by its caller")
    .option("--json", "print JSON")
    .action(async (id: string, options: { reason: string; json?: boolean }) => {
      const status = await withPodq(async (podq) => podq.job(id).cancel({ reason: options.reason }));
      await write(stdout, options.json ? json(status) : jobLines(status));
    });

  program
    .command("signal")
    .description("send a running exec's command a signal; prints what became of it")
    .argument("<job>", "its id")
    .addArgument(new Argument("<signal>", "which").choices(signalNames))
    .action(async (id: string, signal: SignalName) => {
      await write(stdout, `${await withPodq(async (podq) => podq.job(id).signal(signal))}\n`);
    });

  program
    .command("retry")
    .description("enqueue an ended job's request once more, as a new job; prints its id")
    .argument("<job>", "its id")
    .option("--env <KEY=VALUE>", "variable, whose value was not kept; again for more", collectPair)
    .option("-i, --stdin", "send standard input, up to its end")
    .option("--json", "print JSON")
    .action(async (id: string, options: { env?: Record<string, string>; stdin?: boolean; json?: boolean }) => {
      const stdin = options.stdin ? await buffer(context.stdin) : undefined;
      const again = await withPodq(async (podq) => (await podq.job(id).retry(given({ env: options.env, stdin }))).id);
      await write(stdout, options.json ? json({ id: again }) : `${again}\n`);
    });
}
