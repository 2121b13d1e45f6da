import { openContext } from "@podq/client/handles";
import { connectRedis, openQueueForDashboard } from "@podq/queue";
import type { AddressInfo } from "node:net";
import type { Logger } from "pino";
import { ConfigError, type ApiConfig } from "./config.ts";
import { createMetrics } from "./metrics.ts";
import { createServer } from "./server.ts";
import { startWebhooks } from "./webhooks/start.ts";

/** A running API. */
export type Api = { url: string; stop: () => Promise<void> };

const loopback = new Set(["127.0.0.1", "::1", "localhost"]);

/** Starts the API. As long as there never was a token it listens on loopback only, wherever it was to listen, and says so. Throws what names the setting to mend. */
export async function startApi(config: ApiConfig, log: Logger): Promise<Api> {
  const started = new AsyncDisposableStack();
  try {
    const { redisUrl, mongodbUri, prefix, rate, bodyBytes, bodyMs, sessionMs, proxies, port } = config;
    const metrics = createMetrics();
    const onLag = (error: unknown, job: string): void => {
      metrics.lag();
      log.warn({ err: error, job }, "Redis failed; the job is accepted, and found by the sweeper");
    };
    const context = started.adopt(await openContext({ redisUrl, mongodbUri, prefix, onLag }), async (one) => one.close());
    started.adopt(await startWebhooks(context, config.webhooks, log, metrics.webhook), async (one) => one.stop());
    const redis = started.adopt(await connectRedis(redisUrl, "caller"), (one) => one.disconnect());
    const queue = started.adopt(openQueueForDashboard(redis, prefix), async (one) => one.close());
    const app = started.adopt(
      await createServer(context, queue, { rate, bodyBytes, bodyMs, sessionMs, proxies }, log, metrics),
      async (one) => {
        one.server.closeAllConnections(); // followers would hold it open for as long as they like
        await one.close();
      },
    );
    const guarded = await context.store.tokens.ever();
    const host = guarded || loopback.has(config.host) ? config.host : "127.0.0.1";
    if (!guarded)
      log.warn({ host }, "there is no token: everybody on this machine is let in, and nobody else; podq token create makes one");
    await app.listen({ host, port }).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new ConfigError(`PODQ_API_HOST, PODQ_API_PORT: cannot listen there: ${reason}`, { cause: error });
    });
    const { address, family, port: taken } = app.server.address() as AddressInfo;
    const url = `http://${family === "IPv6" ? `[${address}]` : address}:${taken}`;
    log.info({ url, guarded }, "the API is ready");
    return { url, stop: async () => started.disposeAsync() };
  } catch (error) {
    await started.disposeAsync();
    throw error;
  }
}
