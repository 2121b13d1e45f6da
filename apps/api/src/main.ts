#!/usr/bin/env node
import { runApi } from "./run.ts";

const stop = new AbortController();
const onSignal = (): void => {
  if (stop.signal.aborted) process.exit(1); // asked twice: now
  stop.abort();
};
process.on("SIGTERM", onSignal).on("SIGINT", onSignal);

try {
  process.exit(await runApi(stop.signal));
} catch (error) {
  process.stderr.write(`podq api: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
