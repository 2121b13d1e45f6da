import { readMasterKey } from "@podq/api/signing";
import { z } from "zod";

const schema = z.object({
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: "must be a redis:// or rediss:// address" }).default("redis://127.0.0.1:6379"),
  MONGODB_URI: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\//, { error: "must begin with mongodb:// or mongodb+srv://" })
    .default("mongodb://127.0.0.1:27017/podq?replicaSet=rs0"),
  PODQ_PREFIX: z.string().min(1).default("bull"),
  PODQ_URL: z.url({ protocol: /^https?$/, error: "must be the http:// or https:// address of podq's API" }).optional(),
  PODQ_TOKEN: z.string().min(1).optional(),
});

/** How the command reaches podq's databases. */
export type Databases = Readonly<{ redisUrl: string; mongodbUri: string; prefix: string }>;

/** Settings that are wrong: the message names the variable and what it expects. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "usage";
}

type Env = Readonly<Record<string, string | undefined>>;

/** Reads from the environment how to reach podq: by its API if PODQ_URL is set, else by its databases. An empty variable counts as unset. Throws UsageError. */
export function readWay(env: Env = process.env): Databases | Readonly<{ url: string; token?: string }> {
  const { PODQ_URL: url, PODQ_TOKEN: token } = parse(env);
  if (url === undefined) return readDatabases(env);
  return Object.freeze({ url, ...(token !== undefined && { token }) });
}

/** Reads how to reach the databases, for what only they can do. Throws UsageError. */
export function readDatabases(env: Env = process.env): Databases {
  const { REDIS_URL: redisUrl, MONGODB_URI: mongodbUri, PODQ_PREFIX: prefix } = parse(env);
  return Object.freeze({ redisUrl, mongodbUri, prefix });
}

/** The master key that webhooks' keys are derived from, as podq api has it; undefined if there is none. Throws UsageError. */
export function readWebhookKey(env: Env = process.env): string | undefined {
  try {
    return readMasterKey(env);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function parse(env: Env): z.output<typeof schema> {
  const parsed = schema.safeParse(Object.fromEntries(Object.entries(env).filter(([, value]) => value !== "")));
  if (parsed.success) return parsed.data;
  throw new UsageError(parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`).join("; "));
}
