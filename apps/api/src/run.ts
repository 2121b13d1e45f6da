import { once } from "node:events";
import { startTracing } from "@podq/tracing";
import { pino } from "pino";
import { startApi } from "./compose.ts";
import { readConfig } from "./config.ts";

/** Runs the API with the settings of the environment until the signal aborts, and resolves with the exit code. Throws what keeps it from starting. */
export async function runApi(stop: AbortSignal): Promise<number> {
  const config = readConfig();
  const log = pino({ name: "podq-api", level: config.logLevel }, pino.destination({ dest: 2, sync: true }));
  const tracing = config.tracing && (await startTracing(config.tracing, "podq-api"));
  const api = await startApi(config, log);
  if (!stop.aborted) await once(stop, "abort");
  log.info("stopping");
  await api.stop();
  await tracing?.stop();
  return 0;
}
