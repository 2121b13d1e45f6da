import { Redis } from "ioredis";
import { QueueError } from "./errors.ts";

const minVersion = [6, 2] as const;

// A connection that was forgotten on the way answers nothing, for ever. Above the 10 s for which BullMQ's blocking read waits.
const silenceMs = { caller: 5_000, worker: 15_000 };

/** Where podq's keys are in Redis. */
export type RedisOptions = {
  /** `redis://host:port/database`. */
  redisUrl: string;
  /** BullMQ's key prefix. Default `bull`. */
  prefix?: string;
};

/**
 * Connects, and checks that this Redis keeps what it is given. A `caller` connection fails fast while Redis is away, a
 * `worker` one waits for it. Throws QueueError `unreachable`, `unfit`.
 */
export async function connectRedis(redisUrl: string, kind: "caller" | "worker"): Promise<Redis> {
  const patience = kind === "worker" ? { maxRetriesPerRequest: null } : { maxRetriesPerRequest: 1, enableOfflineQueue: false };
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    connectTimeout: 5_000,
    socketTimeout: silenceMs[kind],
    retryStrategy: (times) => Math.min(50 * times, 1_000),
    ...patience,
  });
  let lastError: Error | undefined;
  redis.on("error", (error) => (lastError = error)); // reported by the command that fails; without a listener it would be thrown
  try {
    await redis.connect();
    checkFit(await redis.info());
    return redis;
  } catch (error) {
    redis.disconnect();
    if (error instanceof QueueError) throw error;
    const reason = lastError?.message || (error instanceof Error ? error.message : String(error));
    throw new QueueError("unreachable", `Redis cannot be reached: ${reason || "no answer"}; check REDIS_URL and that it runs`, {
      cause: error,
    });
  }
}

function checkFit(info: string): void {
  const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? "";
  const [major = 0, minor = 0] = field("redis_version").split(".").map(Number);
  if (major < minVersion[0] || (major === minVersion[0] && minor < minVersion[1]))
    throw new QueueError("unfit", `Redis is ${field("redis_version")}, podq needs ${minVersion.join(".")} or newer`);
  const policy = field("maxmemory_policy");
  if (policy !== "noeviction")
    throw new QueueError(
      "unfit",
      `Redis has maxmemory-policy ${policy}, under which it drops jobs; set it with: redis-cli config set maxmemory-policy noeviction`,
    );
}
