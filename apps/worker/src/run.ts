import { once } from "node:events";
import { startTracing } from "@podq/tracing";
import { pino, type Logger } from "pino";
import { startWorker } from "./compose.ts";
import { readConfig, type WorkerConfig } from "./config.ts";
import { awakeFor } from "./grace.ts";

/** The worker's log: structured, on stderr, with no secret in it. */
export function createLog(config: Pick<WorkerConfig, "logLevel">): Logger {
  return pino({ name: "podq-worker", level: config.logLevel }, pino.destination({ dest: 2, sync: true }));
}

/**
 * Runs a worker with the settings of the environment until the signal aborts, and resolves with the exit code: 0 after an
 * orderly stop, 1 if it did not stop within the grace time. Throws what keeps it from starting.
 */
export async function runWorker(stop: AbortSignal): Promise<number> {
  const config = readConfig();
  const log = createLog(config);
  const tracing = config.tracing && (await startTracing(config.tracing, "podq-worker"));
  const worker = await startWorker(config, log);
  if (!stop.aborted) await once(stop, "abort");
  log.info("stopping");
  const grace = awakeFor(config.graceMs);
  const stopped = async (): Promise<void> => {
    await worker.stop();
    await tracing?.stop();
  };
  const how = await Promise.race([stopped(), grace.over.then(() => "late" as const)]);
  grace.clear();
  if (how === "late") log.error("not everything stopped within the grace time; what was left is picked up by other workers");
  else log.info("stopped");
  return how === "late" ? 1 : 0;
}
