import { JobError, type ExecOptions, type ExecResult, type Job } from "@podq/client";
import { buffer } from "node:stream/consumers";
import type { Command } from "commander";
import { UsageError } from "../config.ts";
import { addressOf, collectPair, execExitCodes, wholeNumber, withOwner, withPodq, type CliContext, type OwnerOptions } from "../context.ts";
import { json, plain, write } from "../output.ts";
import { given } from "./create.ts";

type Options = OwnerOptions & {
  command?: string;
  cwd?: string;
  shell?: string;
  env?: Record<string, string>;
  stdin?: boolean;
  timeoutMs?: number;
  parallel?: boolean;
  retryable?: boolean;
  maxOutputBytes?: number;
  startIfStopped?: boolean;
  trustKubectl?: boolean;
  idempotencyKey?: string;
  callbackUrl?: string;
  detach?: boolean;
  json?: boolean;
};

/** `podq exec`: runs a command in an owner's pod, and passes its streams and exit code through. */
export function addExec(program: Command, context: CliContext): void {
  withOwner(program.command("exec").description("run a command in an owner's pod; its streams and exit code are passed through"))
    .option("-c, --command <string>", "a line for the pod's shell, in place of an argv")
    .option("-i, --stdin", "pass standard input on while the command runs (with --detach, or --retryable: before it starts)")
    .option("--shell <program>", "what runs the line of -c (default sh)")
    .option("--cwd <path>", "where it runs (default /workspace)")
    .option("--env <KEY=VALUE>", "variable of the command; again for more", collectPair)
    .option("--timeout-ms <ms>", "time for the command (default 600000)", wholeNumber)
    .option("--parallel", "may share the pod with other parallel commands")
    .option("--retryable", "may be started again when its outcome cannot be known")
    .option("--max-output-bytes <n>", "kept of each stream (default 16777216)", wholeNumber)
    .option("--start-if-stopped", "start a stopped pod first, in place of failing")
    .option("--trust-kubectl", "in images without a shell, take kubectl's exit status 0 for the command's")
    .option("--idempotency-key <key>", "the same key with the same request is the first job again")
    .option("--callback-url <url>", "where podq's API tells of the job's end")
    .option("--detach", "print the job's id and do not wait")
    .option("--json", "print the result as JSON in place of the streams")
    .argument("[argv...]", "the command, after --")
    .action(async (argv: string[], options: Options) => {
      if (options.command !== undefined && argv.length > 0)
        throw new UsageError("give either a command after -- or a line with -c, not both");
      const command = options.command ?? argv;
      const { cwd, shell, env, timeoutMs, parallel, retryable, maxOutputBytes, startIfStopped, trustKubectl } = options;
      const ran = { cwd, shell, env, timeoutMs, parallel, retryable, maxOutputBytes, startIfStopped, trustKubectl };
      const { idempotencyKey, callbackUrl } = options;
      const address = addressOf(options);
      const request: ExecOptions = given({ ...ran, idempotencyKey, callbackUrl });
      await withPodq(async (podq) => {
        const pod = podq.pod(address);
        // Whoever does not stay cannot go on writing, and a stream cannot be given twice.
        const whole = options.detach === true || retryable === true;
        const stdin = options.stdin ? (whole ? await buffer(context.stdin) : context.stdin) : undefined;
        const job = await pod.exec(command, stdin === undefined ? request : { ...request, stdin });
        if (options.detach) return write(context.stdout, options.json ? json({ id: job.id }) : `${job.id}\n`);
        context.interrupt.addEventListener(
          "abort",
          () => void job.cancel({ reason: "interrupted at the terminal" }).catch(() => undefined),
          { once: true },
        );
        return passThrough(context, job, options.json === true);
      });
    });
}

async function passThrough(context: CliContext, job: Job<"exec">, asJson: boolean): Promise<void> {
  if (!asJson)
    for await (const { stream, data, restarted } of job.output()) {
      if (restarted) await write(context.stderr, "podq: restarted: the command was started anew; what it had written is void\n");
      await write(context[stream], data);
    }
  try {
    const result = await job.result();
    if (asJson) await write(context.stdout, json({ id: job.id, state: "succeeded", ...readable(result) }));
    context.exit(result.exitCode);
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    if (asJson)
      await write(
        context.stdout,
        json({ id: job.id, state: error.state, error: { code: error.code, message: error.message }, ...readable(error) }),
      );
    await write(context.stderr, `podq: ${error.code}: ${plain(error.message)}\n`);
    context.exit(
      error.code === "timed-out" ? execExitCodes.timedOut : error.state === "cancelled" ? execExitCodes.cancelled : execExitCodes.podq,
    );
  }
}

// Bytes as text, since JSON has no bytes; `podq output` gives them as they are.
function readable(result: ExecResult | JobError): object {
  const { exitCode, stdoutBytes, stderrBytes, truncated, leftRunning, unverified, startedAt, endedAt } = result;
  return {
    exitCode,
    stdout: result.stdout?.text(),
    stderr: result.stderr?.text(),
    stdoutBytes,
    stderrBytes,
    truncated,
    leftRunning,
    unverified,
    startedAt,
    endedAt,
  };
}
