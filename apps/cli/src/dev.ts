import { once } from "node:events";
import { readConfig as readApiConfig, startApi } from "@podq/api";
import { startStack } from "@podq/devstack";
import { createLog, readConfig, startWorker } from "@podq/worker";
import type { CliContext } from "./context.ts";
import { write } from "./output.ts";

/** `podq dev`: the embedded stack with a worker and the API, kept running; prints the environment to use it with. */
export async function runDev({ stdout, stderr, interrupt }: CliContext, options: { port?: number }): Promise<void> {
  const say = (line: string): boolean => stderr.write(`podq dev: ${line}\n`);
  say("starting Redis, MongoDB, an SSH host and a small cluster");
  await using stack = disposable(await startStack(), async (one) => one.stop());
  const config = readConfig({ ...stack.it.env, PODQ_LOG_LEVEL: "warn" });
  say("starting a worker");
  await using _worker = disposable(await startWorker(config, createLog(config)), async (one) => one.stop());
  const served = readApiConfig({ ...stack.it.env, PODQ_API_PORT: String(options.port ?? 0) });
  await using api = disposable(await startApi(served, createLog(config)), async (one) => one.stop());
  await write(
    stdout,
    Object.entries(stack.it.env)
      .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`)
      .join(""),
  );
  say(`pods, jobs and their output: ${api.it.url}/ui, the API: ${api.it.url}/docs, the queue: ${api.it.url}/admin/queues`);
  say("ready; use the lines above in another shell, and end this with Ctrl-C");
  if (!interrupt.aborted) await once(interrupt, "abort");
  say("stopping");
}

function disposable<T>(it: T, stop: (it: T) => Promise<void>): AsyncDisposable & { it: T } {
  return { it, [Symbol.asyncDispose]: async () => stop(it) };
}
