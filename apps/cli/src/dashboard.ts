import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { FastifyAdapter } from "@bull-board/fastify";
import { connectRedis, openQueueForDashboard } from "@podq/queue";
import fastify from "fastify";

/** Serves bull-board on loopback, read-only. `port` 0 takes any that is free. */
export async function startDashboard(options: {
  redisUrl: string;
  prefix: string;
  port: number;
}): Promise<{ url: string; stop: () => Promise<void> }> {
  const redis = await connectRedis(options.redisUrl, "caller");
  const queue = openQueueForDashboard(redis, options.prefix);
  const adapter = new FastifyAdapter();
  createBullBoard({
    queues: [new BullMQAdapter(queue, { readOnlyMode: true })],
    serverAdapter: adapter,
    options: { uiConfig: { hideRedisDetails: true } },
  });
  adapter.setBasePath("/admin/queues");
  const server = fastify();
  await server.register(adapter.registerPlugin(), { prefix: "/admin/queues" });
  const address = await server.listen({ host: "127.0.0.1", port: options.port });
  return {
    url: `${address}/admin/queues`,
    async stop() {
      await server.close();
      await queue.close();
      redis.disconnect();
    },
  };
}
