import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Registry } from "prom-client";
import { ConfigError } from "./config-error.ts";
import type { Metrics } from "./metrics.ts";

/** Serves `/metrics` and `/healthz`. Throws ConfigError when the address cannot be had. */
export async function serveMetrics(
  metrics: Pick<Metrics, "text">,
  { host, port }: { host: string; port: number },
): Promise<{ url: string; stop: () => Promise<void> }> {
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      if (request.url === "/metrics") response.setHeader("content-type", Registry.PROMETHEUS_CONTENT_TYPE).end(await metrics.text());
      else if (request.url === "/healthz") response.end("ok\n");
      else response.writeHead(404).end();
    };
    answer().catch(() => response.writeHead(500).end());
  });
  server.listen(port, host);
  await once(server, "listening").catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`PODQ_METRICS_HOST, PODQ_METRICS_PORT: metrics cannot be served there: ${reason}`, { cause: error });
  });
  const { address, port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${address.includes(":") ? `[${address}]` : address}:${taken}/metrics`,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
