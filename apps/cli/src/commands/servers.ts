import type { Command } from "commander";
import { wholeNumber, type CliContext } from "../context.ts";

/** `podq worker | api | dev`: the processes that stay. What they are made of is loaded only here, since no other command needs it. */
export function addServers(program: Command, context: CliContext): void {
  program
    .command("worker")
    .description("run a worker, until SIGTERM or Ctrl-C")
    .action(async () => {
      const { runWorker } = await import("@podq/worker");
      context.exit(await runWorker(context.interrupt));
    });

  program
    .command("api")
    .description("serve podq over HTTP, until SIGTERM or Ctrl-C")
    .action(async () => {
      const { runApi } = await import("@podq/api");
      context.exit(await runApi(context.interrupt));
    });

  program
    .command("dev")
    .description("run Redis, MongoDB, an SSH host, a small cluster, a worker and the API on this machine, until Ctrl-C")
    .option("--port <port>", "port of the API (default: any that is free)", wholeNumber)
    .action(async (options: { port?: number }) => {
      const { runDev } = await import("../dev.ts");
      await runDev(context, options);
    });
}
