import { mkdir, mkdtemp } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { redisBinary } from "./binaries.ts";
import { DevstackError } from "./errors.ts";
import { freePort } from "./tcp.ts";
import { keep } from "./keeper.ts";
import { until } from "./until.ts";

/**
 * Options of `startRedis`: `port` (default: a free one); `dir` makes the data last there, in an append-only file, across
 * stop and kill (default: nothing lasts); `args` are further arguments of redis-server.
 */
export type RedisOptions = { port?: number; dir?: string; args?: readonly string[] };

/** A redis-server of one's own on 127.0.0.1, without eviction. */
export type Redis = {
  url: string;
  port: number;
  pid: number;
  /** Ends it; data without a `dir` are gone. */
  stop: () => Promise<void>;
  /** Ends it by SIGKILL, as a crash would. */
  kill: () => Promise<void>;
};

/** Starts a redis-server that answers PING when this resolves and cannot outlive this process. */
export async function startRedis(options: RedisOptions = {}): Promise<Redis> {
  const binary = await redisBinary();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(binary, options);
    } catch (error) {
      // The port that was free a moment ago may have been taken since.
      if (options.port !== undefined || attempt === 3) throw error;
    }
  }
}

async function start(binary: string, options: RedisOptions): Promise<Redis> {
  const port = options.port ?? (await freePort());
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), "podq-redis-")));
  await mkdir(dir, { recursive: true });
  const lasting = options.dir ? ["--appendonly", "yes", "--appendfsync", "everysec"] : ["--appendonly", "no"];
  const fixed = ["--bind", "127.0.0.1", "--port", String(port), "--dir", dir, "--save", "", "--maxmemory-policy", "noeviction"];
  const kept = await keep([binary, ...fixed, ...lasting, ...(options.args ?? [])], {
    signal: options.dir ? "TERM" : "KILL",
    ...(options.dir ? {} : { removeDir: dir }),
  });
  let gone = false;
  void kept.exited.then(() => {
    gone = true;
  });
  try {
    await until("redis-server answers PING", async () => {
      if (gone) throw new DevstackError("start-failed", `redis-server ended: ${kept.output()}`);
      return (await ping(port)) ? true : undefined;
    });
  } catch (error) {
    await kept.end();
    throw error;
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: kept.pid,
    stop: kept.end,
    kill: async () => {
      if (!gone) process.kill(kept.pid, "SIGKILL");
      await kept.end();
    },
  };
}

function ping(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    socket.setTimeout(1000, () => socket.destroy());
    // Another answer than PONG is one that is still loading its data.
    socket.once("data", (answer) => {
      resolve(answer.toString().startsWith("+PONG"));
      socket.destroy();
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}
