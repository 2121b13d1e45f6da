import { startMongo, startRedis } from "@podq/devstack";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  // oxlint-disable-next-line typescript/consistent-type-definitions -- declaration merging needs an interface
  interface ProvidedContext {
    /** One mongod and one redis-server for the whole run; a test file takes a database and a key prefix of its own. */
    services: { mongodbUri: string; redisUrl: string };
  }
}

/** Starts the services of a test run, and ends them after it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [mongo, redis] = await Promise.all([startMongo(), startRedis()]);
  project.provide("services", { mongodbUri: mongo.uri, redisUrl: redis.url });
  return async () => {
    await Promise.all([mongo.stop(), redis.stop()]);
  };
}
