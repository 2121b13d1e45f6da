import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { openBench } from "./testing.ts";

const run = promisify(execFile);
const requirement = "bullmq==3.4.4";

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

/** The client from PyPI, in a folder of the user's cache: installed once. */
async function pythonClient(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "podq");
  const dir = join(cache, `python-${requirement}`);
  if (existsSync(dir)) return dir;
  await mkdir(cache, { recursive: true });
  const fresh = await mkdtemp(join(cache, "python-"));
  await run("python3", ["-m", "pip", "install", "--quiet", "--target", fresh, requirement]);
  await rename(fresh, dir).catch(async () => rm(fresh, { recursive: true })); // another test run was quicker
  return dir;
}

it("takes a job from a producer in Python", { timeout: 120_000 }, async () => {
  await using bench = await openBench();
  await bench.work(async ({ job }) => ({
    kind: "end",
    state: "succeeded",
    result: { exitCode: 0, command: (job.params as object as { command: unknown }).command },
    error: null,
    why: "done",
  }));
  const env = { ...process.env, PYTHONPATH: await pythonClient() };
  const { stdout } = await run("python3", ["-c", producer, bench.redisUrl, bench.prefix], { env });
  const job = bench.podq.job(stdout.trim());
  await expect.poll(async () => (await job.status().catch(() => null))?.state, { timeout: 20_000 }).toBe("succeeded");
  expect(await bench.store.jobs.get(job.id)).toMatchObject({ podKey: "project/snake/default", result: { command: ["echo", "hello"] } });
});
