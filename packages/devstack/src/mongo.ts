import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MongoClient, MongoServerError } from "mongodb";
import type { Db } from "mongodb";
import { mongodBinary } from "./binaries.ts";
import { DevstackError } from "./errors.ts";
import { freePort, listens } from "./tcp.ts";
import { keep } from "./keeper.ts";
import { until } from "./until.ts";

/** Options of `startMongo`: `port` (default: a free one); `dir` makes the data last there across stop and kill. */
export type MongoOptions = { port?: number; dir?: string };

/** A mongod of one's own on 127.0.0.1: a replica set of one, so that transactions and majority writes work. */
export type Mongo = {
  /** Names no database: set the path of a parsed URL to take one. */
  uri: string;
  port: number;
  pid: number;
  /** Ends it; data without a `dir` are gone. */
  stop: () => Promise<void>;
  /** Ends it by SIGKILL, as a crash would. */
  kill: () => Promise<void>;
};

/** Starts a mongod that is a writable primary when this resolves and cannot outlive this process. */
export async function startMongo(options: MongoOptions = {}): Promise<Mongo> {
  const binary = await mongodBinary();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(binary, options);
    } catch (error) {
      // The port that was free a moment ago may have been taken since.
      if (options.port !== undefined || attempt === 3) throw error;
    }
  }
}

async function start(binary: string, options: MongoOptions): Promise<Mongo> {
  const port = options.port ?? (await freePort());
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), "podq-mongo-")));
  await mkdir(dir, { recursive: true });
  const small = ["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "50", "--nounixsocket", "--quiet"];
  const kept = await keep([binary, "--dbpath", dir, "--bind_ip", "127.0.0.1", "--port", String(port), "--replSet", "rs0", ...small], {
    signal: options.dir ? "TERM" : "KILL",
    ...(options.dir ? {} : { removeDir: dir }),
  });
  let gone = false;
  void kept.exited.then(() => {
    gone = true;
  });
  const alive = (): void => {
    if (gone) throw new DevstackError("start-failed", `mongod ended: ${lastLines(kept.output())}`);
  };
  try {
    await until("mongod listens", async () => {
      alive();
      return (await listens(port)) || undefined;
    });
    await becomePrimary(port, alive);
  } catch (error) {
    await kept.end();
    throw error;
  }
  return {
    uri: `mongodb://127.0.0.1:${port}/?replicaSet=rs0&directConnection=true`,
    port,
    pid: kept.pid,
    stop: kept.end,
    kill: async () => {
      if (!gone) process.kill(kept.pid, "SIGKILL");
      await kept.end();
    },
  };
}

// The driver gives up for good on a server that refuses its first connection: it starts when somebody listens.
async function becomePrimary(port: number, alive: () => void): Promise<void> {
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, { serverSelectionTimeoutMS: 5000 });
  try {
    await until("mongod accepts writes", async () => {
      alive();
      return (await isWritable(client.db("admin"), `127.0.0.1:${port}`)) || undefined;
    });
  } finally {
    await client.close();
  }
}

// A folder that was used under another port holds a replica set whose only member is elsewhere: it is told where it is now.
async function isWritable(admin: Db, host: string): Promise<boolean> {
  const hello = await admin.command({ hello: 1 });
  if (hello.isWritablePrimary === true) return true;
  try {
    const { config } = await admin.command({ replSetGetConfig: 1 });
    if (config.members[0]?.host !== host) {
      const moved = { ...config, version: config.version + 1, members: [{ ...config.members[0], host }] };
      await admin.command({ replSetReconfig: moved, force: true });
    }
  } catch (error) {
    // 94: not yet initialized. Anything else passes while it starts.
    if (!(error instanceof MongoServerError) || error.code !== 94) throw error;
    await admin.command({ replSetInitiate: { _id: "rs0", members: [{ _id: 0, host }] } });
  }
  return false;
}

const lastLines = (text: string): string => text.trim().split("\n").slice(-3).join("\n");
