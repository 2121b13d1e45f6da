// What the tests of webhooks share: a receiver on this machine.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

// One request that a receiver was sent.
type Heard = { headers: Record<string, string>; body: string; data: Record<string, unknown> };

/** A receiver of webhooks. */
export type Receiver = AsyncDisposable & { url: string; heard: Heard[] };

/** Starts a receiver, which answers each request with the next of the statuses, and then with 200. */
export async function startReceiver(...statuses: number[]): Promise<Receiver> {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.once("end", () => {
      const body = Buffer.concat(chunks).toString();
      const { data } = JSON.parse(body) as { data: Record<string, unknown> };
      heard.push({ headers: request.headers as Record<string, string>, body, data });
      response.writeHead(statuses.shift() ?? 200).end("thanks");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/podq`,
    heard,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
