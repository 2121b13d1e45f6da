// A worker in a process of its own, as `podq worker` is, that does not outlive the bench.
import { createLog, readConfig, startWorker, type Worker } from "@podq/worker";
import { settingsOf } from "../child.ts";

let worker: Worker | undefined;
const config = readConfig(await settingsOf<Record<string, string>>(async () => worker?.stop()));
worker = await startWorker(config, createLog(config));
process.send?.("ready");
