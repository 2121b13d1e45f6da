import { setTimeout as delay } from "node:timers/promises";
import { queueName } from "@podq/queue";
import type { JobDocument } from "@podq/store";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { MongoClient } from "mongodb";
import { prefix, type Scene } from "../scene.ts";
import type { Inject } from "./field.ts";

async function withRedis<T>({ redis }: Scene, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(redis.url, { maxRetriesPerRequest: null });
  client.on("error", () => undefined);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

/** CLIENT KILL of all connections but one's own. */
export const killRedisClients: Inject = async ({ scene }) =>
  withRedis(scene, async (client) => {
    const kill = async (type: string): Promise<number> => Number(await client.call("CLIENT", "KILL", "TYPE", type, "SKIPME", "yes"));
    const killed = (await kill("normal")) + (await kill("pubsub"));
    return killed > 0 ? { what: `${killed} connections to Redis were killed` } : null;
  });

/** SIGKILL of Redis, and a start with what its append-only file has. */
export const restartRedis: Inject = async ({ scene }, { forMs }) => {
  const before = scene.redis.pid();
  await scene.redis.kill();
  await delay(forMs);
  await scene.redis.start();
  return { what: `Redis ${before} was killed, down for ${forMs} ms, and is ${scene.redis.pid()}` };
};

/** FLUSHALL. */
export const flushRedis: Inject = async ({ scene }) =>
  withRedis(scene, async (client) => {
    const keys = await client.dbsize();
    await client.flushall();
    return keys > 0 ? { what: `Redis lost ${keys} keys` } : null;
  });

/** Brings every job that waits to a worker, whether or not it is its turn, as anybody may who can write to the queue. */
export const promoteAll: Inject = async ({ scene }) =>
  withRedis(scene, async (client) => {
    const queue = new Queue(queueName, { connection: client, prefix });
    try {
      const parked = await queue.getDelayedCount();
      await queue.promoteJobs();
      const waiting = await scene.db.collection<JobDocument>("jobs").find({ state: "queued" }).toArray();
      for (const { _id: jobId, kind, owner, name } of waiting) await queue.add(kind, { v: 1, jobId, owner, name }, { jobId });
      return parked + waiting.length === 0 ? null : { what: `${parked} parked and ${waiting.length} waiting jobs were sent for` };
    } finally {
      await queue.close();
    }
  });

/** SIGKILL of MongoDB, and a start with its journal. */
export const restartMongo: Inject = async ({ scene }, { forMs }) => {
  const before = scene.mongo.pid();
  await scene.mongo.kill();
  await delay(forMs);
  await scene.mongo.start();
  return { what: `MongoDB ${before} was killed, down for ${forMs} ms, and is ${scene.mongo.pid()}` };
};

/** MongoDB's primary steps down; nobody is primary for a while. */
export const stepDownMongo: Inject = async ({ scene }, { forMs }) => {
  const client = await MongoClient.connect(`mongodb://127.0.0.1:${scene.mongo.port}/?directConnection=true`);
  try {
    const admin = client.db("admin");
    const from = performance.now();
    await admin.command({ replSetStepDown: Math.max(1, Math.round(forMs / 1_000)), force: true });
    let seen = false;
    for (; performance.now() - from < 20_000; await delay(50)) {
      const primary = (await admin.command({ hello: 1 })).isWritablePrimary === true;
      if (primary && seen) return { what: `MongoDB had no primary for ${Math.round(performance.now() - from)} ms` };
      seen ||= !primary;
    }
    return null;
  } finally {
    await client.close();
  }
};
