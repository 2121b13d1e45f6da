import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { Template } from "@podq/client";
import type { Command } from "commander";
import { parseAllDocuments, stringify } from "yaml";
import { UsageError } from "../config.ts";
import { exitCodes, withPodq, type CliContext } from "../context.ts";
import { age, json, write } from "../output.ts";
import { table } from "../table.ts";

/** `podq template apply | ls | get | delete`: what pods are made from. */
export function addTemplates(program: Command, { stdin, stdout, stderr, exit }: CliContext): void {
  const template = program.command("template").description("save, list and delete what pods are made from");

  template
    .command("apply")
    .description("save templates: each a new version, unless the newest says the same")
    .requiredOption("-f, --file <file>", "YAML or JSON with `name` and what the template says; - is standard input")
    .option("--json", "print JSON")
    .action(async (options: { file: string; json?: boolean }) => {
      const given = templatesIn(options.file === "-" ? await text(stdin) : await readNamed(options.file));
      const saved = await withPodq(async (podq) => {
        const all = [];
        for (const one of given) all.push(await podq.templates.apply(one));
        return all;
      });
      const lines = saved.map(({ name, version, isNew }) => `${name}@${version} ${isNew ? "saved" : "is as it was"}\n`);
      await write(stdout, options.json ? json(saved) : lines.join(""));
    });

  template
    .command("ls")
    .description("list templates by their newest versions, or all versions of one")
    .argument("[name]", "which")
    .option("--json", "print JSON")
    .action(async (name: string | undefined, options: { json?: boolean }) => {
      const all = await withPodq(async (podq) => podq.templates.list(name));
      const rows = all.map(({ name: of, version, body, createdAt }) => [
        `${of}@${version}`,
        body.level ?? "restricted",
        age(createdAt),
        body.image ?? "",
      ]);
      await write(stdout, options.json ? json(all) : table(["TEMPLATE", "LEVEL", "AGE", "IMAGE"], rows, stdout.columns));
    });

  template
    .command("get")
    .description("print a template as `apply` takes it")
    .argument("<template>", "its name, or NAME@VERSION")
    .option("--json", "print JSON, with version and time")
    .action(async (ref: string, options: { json?: boolean }) => {
      const found = await withPodq(async (podq) => podq.templates.get(ref));
      if (found !== null) return write(stdout, options.json ? json(found) : stringify({ name: found.name, ...found.body }));
      await write(stderr, `podq: not-found: there is no template ${ref}\n`);
      exit(exitCodes.failed);
    });

  template
    .command("delete")
    .description("delete a template with all its versions; pods stay as they are")
    .argument("<name>", "which")
    .action(async (name: string) => withPodq(async (podq) => podq.templates.delete(name)));
}

async function readNamed(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new UsageError(`--file ${file}: ${(error as Error).message}`);
  }
}

// JSON is YAML. What a template says is checked by whoever saves it.
function templatesIn(source: string): Template[] {
  const documents = parseAllDocuments(source);
  return (Array.isArray(documents) ? documents : []).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new UsageError(`--file: ${error.message.split("\n", 1)[0]}`);
    const given: unknown = document.toJS();
    if (typeof given !== "object" || given === null || !("name" in given))
      throw new UsageError("--file: a template is a map with a `name`, and what it says beside that");
    return given as Template;
  });
}
