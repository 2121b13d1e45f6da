import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MongoClient } from "mongodb";
import { afterAll, describe, expect, it } from "vitest";
import { startMongo } from "./mongo.ts";
import { startRedis } from "./redis.ts";

const dir = mkdtempSync(join(tmpdir(), "podq-services-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function redis(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(`${command}\r\n`));
    socket.once("error", reject).once("data", (answer) => {
      resolve(answer.toString().trim());
      socket.destroy();
    });
  });
}

async function mongo<T>(uri: string, use: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(uri);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

describe("startRedis", () => {
  it("answers at once, never evicts, and is gone after stop", async () => {
    const server = await startRedis();
    expect(await redis(server.port, "SET a 1")).toBe("+OK");
    expect(await redis(server.port, "CONFIG GET maxmemory-policy")).toContain("noeviction");
    await server.stop();
    await expect(redis(server.port, "PING")).rejects.toThrow("ECONNREFUSED");
  });

  it("keeps its data across a stop in a folder that it was given", async () => {
    const first = await startRedis({ dir: join(dir, "redis") });
    await redis(first.port, "SET a 1");
    await first.stop();
    const second = await startRedis({ dir: join(dir, "redis"), port: first.port });
    expect(await redis(second.port, "GET a")).toContain("1");
    await second.kill();
    expect(existsSync(join(dir, "redis"))).toBe(true);
  });

  it("says why it could not start", async () => {
    await expect(startRedis({ args: ["--no-such-option", "1"] })).rejects.toMatchObject({
      code: "start-failed",
      message: expect.stringContaining("no-such-option"),
    });
  });
});

describe("startMongo", () => {
  it("takes journalled majority writes and transactions at once", async () => {
    const server = await startMongo();
    const count = await mongo(server.uri, async (client) => {
      await client.withSession((session) =>
        session.withTransaction(async () => {
          await client.db("t").collection("c").insertOne({ a: 1 }, { session });
        }),
      );
      await client
        .db("t")
        .collection("c")
        .insertOne({ a: 2 }, { writeConcern: { w: "majority", j: true } });
      return client.db("t").collection("c").countDocuments();
    });
    expect(count).toBe(2);
    await server.stop();
  });

  it("keeps its data across a kill, also under another port", async () => {
    const first = await startMongo({ dir: join(dir, "mongo") });
    await mongo(first.uri, (client) =>
      client
        .db("t")
        .collection("c")
        .insertOne({ a: 1 }, { writeConcern: { w: "majority", j: true } }),
    );
    await first.kill();
    const second = await startMongo({ dir: join(dir, "mongo") });
    expect(second.port).not.toBe(first.port);
    expect(await mongo(second.uri, (client) => client.db("t").collection("c").countDocuments())).toBe(1);
    await second.stop();
  });
});
