#!/usr/bin/env node
import { runWorker } from "./run.ts";

const stop = new AbortController();
const onSignal = (): void => {
  if (stop.signal.aborted) process.exit(1); // asked twice: now
  stop.abort();
};
process.on("SIGTERM", onSignal).on("SIGINT", onSignal);

try {
  process.exit(await runWorker(stop.signal));
} catch (error) {
  process.stderr.write(`podq worker: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
