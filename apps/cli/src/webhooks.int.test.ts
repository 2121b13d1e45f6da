import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { openStore } from "@podq/store";
import { expect, inject, it } from "vitest";

const main = join(import.meta.dirname, "main.ts");

it("a callback is a token's or a job's, its key is told with the master key, and status shows its tries", async () => {
  const { redisUrl, mongodbUri } = inject("services");
  const prefix = `t${randomBytes(6).toString("hex")}`;
  const uri = new URL(mongodbUri);
  uri.pathname = `/${prefix}`;
  await using store = await openStore({ uri: uri.href, appName: "podq-test" }).then((one) => ({
    ...one,
    [Symbol.asyncDispose]: one.close,
  }));
  const env = { ...process.env, REDIS_URL: redisUrl, MONGODB_URI: uri.href, PODQ_PREFIX: prefix, PODQ_WEBHOOK_KEY: "m".repeat(32) };
  const run = async (args: string[], more: object = {}): Promise<{ code: number | null; stdout: string; stderr: string }> => {
    const child = spawn(process.execPath, [main, ...args], { env: { ...env, ...more }, stdio: "pipe" });
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    return { code: child.exitCode, stdout, stderr };
  };
  const create = ["token", "create", "ci", "--callback-url"];
  const wrong = async (args: string[], why: string, more: object = {}): Promise<void> =>
    expect(await run(args, more)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(why) as string });

  await wrong([...create, "https://hooks.example/"], "PODQ_WEBHOOK_KEY");
  await store.webhooks.configure({ on: true, allow: [] });
  await wrong([...create, "https://u:p@hooks.example/"], "without credentials");
  await wrong([...create, "https://10.0.0.1/"], "PODQ_WEBHOOK_ALLOW");
  await wrong(["webhook", "key"], "PODQ_WEBHOOK_KEY", { PODQ_WEBHOOK_KEY: "" });
  await wrong(["webhook", "key"], "at least 32 characters", { PODQ_WEBHOOK_KEY: "short" });
  await wrong(["webhook", "key", "no-token"], "no id of a token");
  expect(await store.tokens.list()).toEqual([]);

  const made = await run([...create, "https://hooks.example/"]);
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^podq_\S+\n$/) as string });
  const [token] = await store.tokens.list();
  expect(token!.callbackUrl).toBe("https://hooks.example/");
  const key = (await run(["webhook", "key", token!._id])).stdout;
  expect(key).toMatch(/^whsec_\S{44}\n$/);
  expect(made.stderr).toBe(`podq: webhooks of its jobs are signed with ${key}`);
  expect((await run(["webhook", "key"])).stdout).not.toBe(key);

  for (const verb of ["create", "delete", "stop", "start", "restart"]) {
    const asked = await run([verb, "--project", "other", "--callback-url", `https://hooks.example/${verb}`, "--detach"]);
    const job = await store.jobs.get(asked.stdout.trim());
    expect([asked.stderr, job?.kind, job?.callback?.url]).toEqual(["", verb, `https://hooks.example/${verb}`]);
  }

  const { stdout } = await run(["exec", "--project", "p", "--callback-url", "https://hooks.example/x", "--detach", "--", "true"]);
  const id = stdout.trim();
  expect((await run(["status", id])).stdout).toContain("callback  waiting, https://hooks.example/x\n");
  await store.jobs.cancel(id, "no need");
  const due = (await store.webhooks.take(60_000))!;
  await store.webhooks.record(due, { status: 503, error: null, state: "pending", retryInMs: 60_000 });
  const { stdout: shown } = await run(["status", id]);
  expect(shown).toMatch(/callback {2}pending, https:\/\/hooks.example\/x\n {10}try 1, \S+Z: 503\n {10}next try \S+Z\n/);
}, 90_000);
