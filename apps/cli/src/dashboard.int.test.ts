import { randomBytes } from "node:crypto";
import { Queue } from "bullmq";
import { expect, inject, it } from "vitest";
import { startDashboard } from "./dashboard.ts";
import { connectRedis } from "@podq/queue";

it("shows the queue on loopback, and takes no change", async () => {
  const { redisUrl } = inject("services");
  const prefix = `t${randomBytes(4).toString("hex")}`;
  const redis = await connectRedis(redisUrl, "worker");
  const queue = new Queue("podq", { connection: redis, prefix });
  const job = await queue.add("exec", { v: 1, jobId: "a" });
  const dashboard = await startDashboard({ redisUrl, prefix, port: 0 });
  expect(dashboard.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/admin\/queues$/);
  expect(await (await fetch(dashboard.url)).text()).toContain("<html");
  const listed = await (await fetch(`${dashboard.url}/api/queues?activeQueue=podq&status=waiting`)).json();
  expect(JSON.stringify(listed)).toContain('"jobId":"a"');
  const write = async (path: string, method: string): Promise<number> =>
    (await fetch(`${dashboard.url}/api/queues/podq/${path}`, { method, headers: { "content-type": "application/json" }, body: "{}" }))
      .status;
  expect([await write("add", "POST"), await write(`${job.id}/clean`, "PUT"), await write("obliterate", "PUT")]).toEqual([405, 405, 405]);
  await dashboard.stop();
  await queue.close();
  redis.disconnect();
});
