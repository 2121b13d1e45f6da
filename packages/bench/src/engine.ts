import { createLog, readConfig } from "@podq/worker";
import { forAllKinds, startEngine } from "@podq/worker/engine";
import { openStore } from "@podq/store";

/** Where an engine of the bench works, and on how much at once. */
export type EngineSettings = { redisUrl: string; mongodbUri: string; prefix: string; concurrency: number };

type Handler = Parameters<typeof forAllKinds>[0];

/** Starts a worker's engine whose jobs all do this, whatever their kind. What ends it goes to `undo`, to be called from the last to the first. */
export async function startBenchEngine(
  { redisUrl, mongodbUri, prefix, concurrency }: EngineSettings,
  handler: Handler,
  undo: (() => Promise<unknown>)[],
): Promise<void> {
  const config = readConfig({
    REDIS_URL: redisUrl,
    MONGODB_URI: mongodbUri,
    PODQ_PREFIX: prefix,
    PODQ_CONCURRENCY: String(concurrency),
    PODQ_LOG_LEVEL: "warn",
  });
  const store = await openStore({ uri: mongodbUri, appName: "podq-bench" });
  undo.push(store.close);
  const engine = await startEngine(config, store, () => forAllKinds(handler), createLog(config));
  undo.push(engine.stop);
}
