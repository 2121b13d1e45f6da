export { startWorker, type Parts, type Worker } from "./compose.ts";
export { ConfigError } from "./config-error.ts";
export { readConfig, type WorkerConfig } from "./config.ts";
export { examine, type Finding } from "./doctor.ts";
export { awakeFor } from "./grace.ts";
export { createLog, runWorker } from "./run.ts";
