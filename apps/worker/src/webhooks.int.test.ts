import { Queue } from "bullmq";
import { expect, it } from "vitest";
import { openBench } from "./testing.ts";

const callbackUrl = "https://hooks.example/podq";

it("a job that a worker ends is due to be told, and so is a plain BullMQ job, also one that is refused", async () => {
  await using bench = await openBench();
  const { hostname, port } = new URL(bench.redisUrl);
  const queue = new Queue("podq", { connection: { host: hostname, port: Number(port) }, prefix: bench.prefix });
  const plain = async (data: object): Promise<void> => void (await queue.add("exec", { params: { command: "x" }, ...data }));
  const states = async (project: string): Promise<unknown[]> =>
    (await Array.fromAsync(bench.podq.jobs({ project }))).map(({ at }) => [at.state, at.error?.code, at.callback?.state]);
  await bench.work(async () => ({ kind: "end", state: "succeeded", result: null, error: null, why: "done" }));
  try {
    await plain({ owner: { project: "early" }, callbackUrl });
    await expect.poll(async () => states("early"), { timeout: 15_000 }).toEqual([["failed", "invalid-request", undefined]]);

    await bench.store.webhooks.configure({ on: true, allow: [] });
    await (await bench.podq.pod({ project: "sdk" }).delete({ callbackUrl })).result();
    expect(await states("sdk")).toEqual([["succeeded", undefined, "pending"]]);
    await plain({ owner: { project: "plain" }, callbackUrl });
    await expect.poll(async () => states("plain"), { timeout: 15_000 }).toEqual([["succeeded", undefined, "pending"]]);
    await plain({ owner: { project: "wrong" }, callbackUrl, params: {} });
    await expect.poll(async () => states("wrong"), { timeout: 15_000 }).toEqual([["failed", "invalid-request", "pending"]]);
    await plain({ owner: { project: "inside" }, callbackUrl: "http://10.0.0.1/" });
    await expect.poll(async () => states("inside"), { timeout: 15_000 }).toEqual([["failed", "invalid-request", undefined]]);
  } finally {
    await queue.close();
  }
});
