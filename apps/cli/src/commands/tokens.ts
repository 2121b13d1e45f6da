import { checkCallback } from "@podq/client/line";
import { callbackUrlSchema, ownerTextSchema, RequestError } from "@podq/jobs";
import { openStore, scopes, type Scope, type Store } from "@podq/store";
import { Option, type Command } from "commander";
import { readDatabases, UsageError } from "../config.ts";
import { exitCodes, type CliContext } from "../context.ts";
import { keyOf } from "./webhooks.ts";
import { age, json, write } from "../output.ts";
import { table } from "../table.ts";

type CreateOptions = { scope: Scope; owner?: string[]; callbackUrl?: string; ifNone?: boolean; json?: boolean };

/** `podq token create | ls | revoke`: who may use the API. */
export function addTokens(program: Command, { stdout, stderr, exit }: CliContext): void {
  const token = program.command("token").description("make, list and revoke the tokens of the API");

  token
    .command("create")
    .description("make a token and print it, this once")
    .argument("<label>", "what it is for, to know it again")
    .addOption(
      new Option("--scope <scope>", "read: look; run: also enqueue, cancel and signal; admin: also templates and the dashboard")
        .choices(scopes)
        .default("run"),
    )
    .option("--owner <project/ID>", "only for this project or conversation (conversation/ID); again for more", collectOwner)
    .option("--callback-url <url>", "where to tell of the ends of its jobs that name no callback of their own")
    .option("--if-none", "make one only if there is none yet, for the first start of an installation")
    .option("--json", "print JSON")
    .action(async (label: string, options: CreateOptions) => {
      const { scope, owner: owners = [], callbackUrl = null } = options;
      if (scope === "admin" && owners.length > 0) throw new UsageError("a token of scope admin is for everything; leave --owner out");
      const made = await withStore(async (store) => {
        if (callbackUrl !== null) await demandCallback(store, callbackUrl);
        const given = { label, scope, owners, callbackUrl };
        return options.ifNone ? store.tokens.createFirst(given) : store.tokens.create(given);
      });
      if (made === null) return await write(stderr, "podq: there is a token, or was a first one; podq token ls shows them\n");
      const id = made.token._id;
      const webhookKey = keyOf(id) ?? null;
      await write(stdout, options.json ? json({ id, token: made.text, label, scope, owners, callbackUrl, webhookKey }) : `${made.text}\n`);
      if (webhookKey !== null && !options.json) await write(stderr, `podq: webhooks of its jobs are signed with ${webhookKey}\n`);
    });

  token
    .command("ls")
    .description("list tokens, newest first; their texts are nowhere")
    .option("--json", "print JSON")
    .action(async (options: { json?: boolean }) => {
      const tokens = (await withStore(async (store) => store.tokens.list())).map(({ _id: id, ...rest }) => ({ id, ...rest }));
      const rows = tokens.map(({ id, label, scope, owners, createdAt, revokedAt }) => [
        id,
        label,
        revokedAt === null ? scope : "revoked",
        owners.join(" ") || "all",
        age(createdAt),
      ]);
      await write(stdout, options.json ? json(tokens) : table(["TOKEN", "LABEL", "SCOPE", "OWNERS", "AGE"], rows, stdout.columns));
    });

  token
    .command("revoke")
    .description("make a token void, at once")
    .argument("<token>", "its id, as token ls shows it")
    .action(async (id: string) => {
      if (await withStore(async (store) => store.tokens.revoke(id))) return;
      await write(stderr, `podq: not-found: there is no token ${id} that counts; podq token ls shows them\n`);
      exit(exitCodes.failed);
    });
}

async function demandCallback(store: Store, url: string): Promise<void> {
  try {
    const { success, error } = callbackUrlSchema.safeParse(url);
    if (!success) throw new UsageError(`--callback-url ${error.issues[0]?.message}`);
    await checkCallback(store, url);
  } catch (error) {
    throw error instanceof RequestError ? new UsageError(error.message) : error;
  }
}

function collectOwner(text: string, sofar: string[] = []): string[] {
  if (!ownerTextSchema.safeParse(text).success) throw new UsageError(`${JSON.stringify(text)} is not project/ID or conversation/ID`);
  return [...sofar, text];
}

async function withStore<T>(work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore({ uri: readDatabases().mongodbUri, appName: "podq-cli" });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
