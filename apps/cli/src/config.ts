import { z } from "zod";

const schema = z.object({
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: "must be a redis:// or rediss:// address" }).default("redis://127.0.0.1:6379"),
  MONGODB_URI: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\//, { error: "must begin with mongodb:// or mongodb+srv://" })
    .default("mongodb://127.0.0.1:27017/podq?replicaSet=rs0"),
  PODQ_PREFIX: z.string().min(1).default("bull"),
});

/** How the command reaches podq. */
export type CliConfig = Readonly<{ redisUrl: string; mongodbUri: string; prefix: string }>;

/** Settings that are wrong: the message names the variable and what it expects. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "usage";
}

/** Reads the settings from the environment; an empty variable counts as unset. Throws UsageError. */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): CliConfig {
  const parsed = schema.safeParse(Object.fromEntries(Object.entries(env).filter(([, value]) => value !== "")));
  if (!parsed.success) throw new UsageError(parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`).join("; "));
  return Object.freeze({ redisUrl: parsed.data.REDIS_URL, mongodbUri: parsed.data.MONGODB_URI, prefix: parsed.data.PODQ_PREFIX });
}
