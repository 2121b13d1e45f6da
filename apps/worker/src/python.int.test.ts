import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { pythonPackages } from "@podq/devstack/testing";
import { expect, it } from "vitest";
import { openBench } from "./testing.ts";

const run = promisify(execFile);

const producer = `
import asyncio, sys
from bullmq import Queue

async def main():
    queue = Queue("podq", {"connection": sys.argv[1], "prefix": sys.argv[2]})
    job = await queue.add("exec", {"owner": {"project": "snake"}, "params": {"command": ["echo", "hello"]}, "idempotencyKey": "k1"})
    print(f"{job.id}-{job.timestamp}")
    await queue.close()

asyncio.run(main())
`;

it("takes a job from a producer in Python", { timeout: 120_000 }, async () => {
  await using bench = await openBench();
  await bench.work(async ({ job }) => ({
    kind: "end",
    state: "succeeded",
    result: { exitCode: 0, command: (job.params as object as { command: unknown }).command },
    error: null,
    why: "done",
  }));
  const env = { ...process.env, PYTHONPATH: await pythonPackages("bullmq==3.4.4") };
  const { stdout } = await run("python3", ["-c", producer, bench.redisUrl, bench.prefix], { env });
  const job = bench.podq.job(stdout.trim());
  await expect.poll(async () => (await job.status().catch(() => null))?.state, { timeout: 20_000 }).toBe("succeeded");
  expect(await bench.store.jobs.get(job.id)).toMatchObject({ podKey: "project/snake/default", result: { command: ["echo", "hello"] } });
});
