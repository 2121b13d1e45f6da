// What the tests of this app share: an engine on the run's own Redis and MongoDB, with handlers that the test makes.
import { randomBytes } from "node:crypto";
import { connect, type Podq } from "@podq/client";
import { openStore, type Store } from "@podq/store";
import { pino } from "pino";
import { inject } from "vitest";
import { forAllKinds, startEngine, type Engine, type EngineConfig } from "./engine.ts";
import type { Handler } from "./execute.ts";

/** A database, a key prefix, and engines on them. */
export type Bench = AsyncDisposable & {
  store: Store;
  podq: Podq;
  redisUrl: string;
  prefix: string;
  /** Starts one more worker whose jobs all do this. */
  work: (handler: Handler, config?: Partial<EngineConfig>, observer?: Parameters<typeof startEngine>[4]) => Promise<Engine>;
};

/** Opens a bench of its own for one test. */
export async function openBench(): Promise<Bench> {
  const { redisUrl, mongodbUri } = inject("services");
  const prefix = `t${randomBytes(6).toString("hex")}`;
  const uri = new URL(mongodbUri);
  uri.pathname = `/${prefix}`;
  const store = await openStore({ uri: uri.href, appName: "podq-test" });
  const podq = await connect({ redisUrl, mongodbUri: uri.href, prefix });
  const engines: Engine[] = [];
  const log = pino({ level: "silent" });
  return {
    store,
    podq,
    redisUrl,
    prefix,
    async work(handler, config = {}, observer) {
      const settings = { redisUrl, prefix, concurrency: 20, leaseMs: 1_500, stallCheckMs: 500, sweepMs: 500, ...config };
      const engine = await startEngine(settings, store, () => forAllKinds(handler), log, observer);
      engines.push(engine);
      return engine;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(engines.map(async (engine) => engine.stop()));
      await podq.close();
      await store.close();
    },
  };
}
