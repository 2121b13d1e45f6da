import { connect, JobError, PodqError, type Job, type JobStatus, type Kind, type PodAddress, type Podq, type ResultOf } from "@podq/client";
import type { Command } from "commander";
import createSpinner from "yocto-spinner";
import { readWay, UsageError } from "./config.ts";
import { jobLines, json, plain, write, type Io } from "./output.ts";

/** What every command works with. `interrupt` aborts at Ctrl-C. */
export type CliContext = Io & { interrupt: AbortSignal; exit: (code: number) => void };

/** Exit codes of commands other than exec. */
export const exitCodes = { failed: 1, usage: 2, unknown: 3 } as const;

/** Exit codes of exec where they are not the command's own. */
export const execExitCodes = { timedOut: 124, podq: 125, cancelled: 130 } as const;

/** Options that say whose pod. */
export type OwnerOptions = { project?: string; projectId?: string; conversation?: string; name?: string };

/** Adds the options that say whose pod. */
export function withOwner(command: Command): Command {
  return command
    .option("--project <id>", "the project whose pod it is")
    .option("--project-id <id>", "same as --project")
    .option("--conversation <id>", "the conversation whose pod it is")
    .option("--name <name>", "a further pod of that owner");
}

/** Whose pod the options name. Throws UsageError if none. */
export function addressOf(options: OwnerOptions): PodAddress {
  const { project = options.projectId, conversation, name } = options;
  if (project === undefined && conversation === undefined) throw new UsageError("whose pod? Give --project ID or --conversation ID");
  return {
    ...(project !== undefined && { project }),
    ...(conversation !== undefined && { conversation }),
    ...(name !== undefined && { name }),
  };
}

/** Runs with a connection to podq, and closes it. */
export async function withPodq<T>(work: (podq: Podq) => Promise<T>): Promise<T> {
  await using podq = await connect(readWay());
  return await work(podq);
}

/** `KEY=VALUE`, once or more, as an option. */
export function collectPair(text: string, sofar: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new UsageError(`${JSON.stringify(text)} is not KEY=VALUE`);
  return { ...sofar, [text.slice(0, at)]: text.slice(at + 1) };
}

/** A whole number as an option. */
export function wholeNumber(text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw new UsageError(`${JSON.stringify(text)} is not a whole number`);
  return Number(text);
}

/** Waits for a job other than an exec, or only tells its id; prints what came of it, and says whether that was waited for and is good. */
export async function finish<K extends Exclude<Kind, "exec">>(
  context: CliContext,
  job: Job<K>,
  options: { detach?: boolean; json?: boolean },
  show: (result: ResultOf<K>) => string,
): Promise<boolean> {
  if (options.detach) {
    await write(context.stdout, options.json ? json({ id: job.id }) : `${job.id}\n`);
    return false;
  }
  const spinner = context.stderr.isTTY ? createSpinner({ stream: context.stderr, text: "accepted" }).start() : null;
  const tell = (status: JobStatus): void => void (spinner && (spinner.text = progressOf(status)));
  const subscription = job.subscribe(tell, { onError: () => undefined });
  try {
    const result = await job.result({ signal: context.interrupt });
    spinner?.stop();
    await write(context.stdout, options.json ? json(result) : show(result));
    return true;
  } catch (error) {
    spinner?.stop();
    if (!(error instanceof JobError)) throw error;
    const status = await job.status();
    await write(context.stdout, options.json ? json(status) : "");
    await write(context.stderr, options.json ? "" : jobLines(status));
    context.exit(error.state === "lost" ? exitCodes.unknown : exitCodes.failed);
    return false;
  } finally {
    subscription.stop();
  }
}

function progressOf({ kind, state, position, attempts }: JobStatus): string {
  const where = position === null || position === 0 ? "" : `, ${position} before it`;
  const again = attempts.length > 1 ? `, attempt ${attempts.length}` : "";
  return `${kind} is ${state}${where}${again}`;
}

/** The exit code of an error that ended a command, and the one line that tells it. */
export function failureOf(error: unknown, forExec: boolean): { code: number; line: string } {
  const message = error instanceof Error ? error.message : String(error);
  const wrongUse =
    error instanceof UsageError || (error instanceof PodqError && ["invalid-request", "owner-missing", "not-found"].includes(error.code));
  const code = wrongUse ? exitCodes.usage : forExec ? execExitCodes.podq : exitCodes.failed;
  return { code, line: `podq: ${error instanceof PodqError ? `${error.code}: ` : ""}${plain(message.split("\n", 1)[0] ?? "")}\n` };
}
