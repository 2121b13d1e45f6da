import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { FileEntry, FileOptions, Files, Transferred } from "@podq/client";
import type { Command } from "commander";
import { UsageError } from "../config.ts";
import { addressOf, exitCodes, wholeNumber, withOwner, withPodq, type CliContext, type OwnerOptions } from "../context.ts";
import { age, json, plain, write } from "../output.ts";
import { given } from "./create.ts";

type Options = OwnerOptions & { timeoutMs?: number; json?: boolean; recursive?: boolean; skip?: boolean };

/** `podq cp` and `podq files`: what is in an owner's /workspace. */
export function addFiles(program: Command, context: CliContext): void {
  withOwner(
    program.command("cp").description("copy a file or a folder into an owner's pod, or out of it; the pod's path begins with a colon"),
  )
    .option("--timeout-ms <ms>", "time for it (default 3600000)", wholeNumber)
    .option("--skip", "leave out links that lead out of the folder, and tell, in place of failing")
    .option("--json", "print JSON")
    .argument("<from>", "a path here (- is standard input), or :PATH in the pod, absolute or from /workspace on")
    .argument("<to>", ":PATH in the pod, or a path here (- is standard output); with a slash at its end, into that folder")
    .addHelpText("after", "\nExample: podq cp --project p1 ./app :/workspace/app")
    .action(async (from: string, to: string, options: Options) => {
      const address = addressOf(options);
      if (from.startsWith(":") === to.startsWith(":"))
        throw new UsageError("one of the two is in the pod, and begins with a colon, like :/workspace/x");
      const means = given({ timeoutMs: options.timeoutMs, signal: context.interrupt });
      await withPodq(async (podq) => {
        const { files } = podq.pod(address);
        const copied = from.startsWith(":")
          ? await copyOut(context, files, from.slice(1), to, means, options)
          : await copyIn(context, files, from, to.slice(1), means, options);
        if (options.json) await write(context.stdout, json(copied));
      });
    });

  const group = program.command("files").description("what is in an owner's /workspace");
  withOwner(group.command("ls").description("list a folder, or all that is below it"))
    .option("-r, --recursive", "all that is below it")
    .option("--json", "print JSON, with names as base64 too")
    .argument("[path]", "in the pod (default /workspace)")
    .action(async (path: string | undefined, options: Options) => {
      const address = addressOf(options);
      await withPodq(async (podq) => {
        const entries = await podq.pod(address).files.list(path, given({ recursive: options.recursive, signal: context.interrupt }));
        await write(context.stdout, options.json ? json(entries.map(asJson)) : entries.map(lineOf).join(""));
      });
    });

  withOwner(group.command("rm").description("remove a file, a link or an empty folder"))
    .option("-r, --recursive", "a folder with all that is in it")
    .argument("<path>", "in the pod")
    .action(async (path: string, options: Options) => {
      const address = addressOf(options);
      await withPodq(async (podq) => {
        const removed = await podq.pod(address).files.remove(path, given({ recursive: options.recursive, signal: context.interrupt }));
        if (removed) return;
        await write(context.stderr, `podq: not-found: ${plain(path)}: there is no such file\n`);
        context.exit(exitCodes.failed);
      });
    });
}

async function copyIn(
  { stdin, stderr }: CliContext,
  files: Files,
  from: string,
  to: string,
  means: FileOptions,
  { skip }: Options,
): Promise<Transferred> {
  if (from === "-") return files.put(to, stdin as AsyncIterable<Uint8Array>, means);
  const found = await stat(from).catch(() => {
    throw new UsageError(`there is no ${JSON.stringify(from)} here`);
  });
  const path = into(to, from);
  return found.isDirectory() ? files.putTree(from, path, { ...means, ...skipping(stderr, skip) }) : files.putFile(from, path, means);
}

/** Copies a file or a folder out of a pod. Exported for its test. */
export async function copyOut(
  { stdout, stderr }: Pick<CliContext, "stdout" | "stderr">,
  files: Files,
  from: string,
  to: string,
  means: FileOptions,
  { skip }: Options,
): Promise<Transferred | null> {
  if (to === "-") {
    for await (const piece of files.get(from, means)) await write(stdout, piece);
    return null;
  }
  const target = into(to, from);
  if (!(await files.isFolder(from, means))) return files.getFile(from, target, means);
  await files.getTree(from, target, { ...means, ...skipping(stderr, skip) });
  return null;
}

function into(to: string, from: string): string {
  return to.endsWith("/") ? to + basename(from) : to;
}

function skipping(stderr: NodeJS.WriteStream, skip: boolean | undefined): { onSkip?: (name: Buffer, why: string) => void } {
  return skip === true ? { onSkip: (name, why) => void stderr.write(`podq: left out ${plain(name.toString())}: ${why}\n`) } : {};
}

const letters: Record<FileEntry["type"], string> = { file: "-", directory: "d", symlink: "l", other: "?" };

function lineOf({ path, type, size, mode, modifiedAt, target }: FileEntry): string {
  const where = target === undefined ? "" : ` -> ${plain(target.toString())}`;
  return `${letters[type]}${mode.toString(8).padStart(4, "0")} ${String(size).padStart(12)} ${age(modifiedAt).padStart(5)} ${plain(path)}${where}\n`;
}

function asJson({ pathBytes, target, ...entry }: FileEntry): object {
  return { ...entry, pathBase64: pathBytes.toString("base64"), ...(target && { targetBase64: target.toString("base64") }) };
}
