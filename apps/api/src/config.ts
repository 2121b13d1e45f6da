import { isAddressRange } from "@podq/jobs";
import { readTracing, type TracingSettings } from "@podq/tracing";
import { z } from "zod";
import { readMasterKey } from "./webhooks/signing.ts";
import type { WebhookConfig } from "./webhooks/start.ts";

const text = z.string().min(1);
const number = (what: string, fallback: number, min: number, max: number): z.ZodType<number> =>
  z.coerce
    .number({ error: `must be ${what}` })
    .int()
    .min(min)
    .max(max)
    .default(fallback);

const ranges = z
  .string()
  .transform((list) => list.split(",").map((one) => one.trim()))
  .refine((all) => all.every(isAddressRange), { error: "must be ranges of addresses with commas between, like 10.0.0.0/8,fd00::/8" })
  .default([]);

// Names, defaults and bounds of every variable that the API reads; `.env.example` lists them.
const schema = z.object({
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).default("redis://127.0.0.1:6379"),
  MONGODB_URI: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\//, { error: "must begin with mongodb:// or mongodb+srv://" })
    .default("mongodb://127.0.0.1:27017/podq?replicaSet=rs0"),
  PODQ_PREFIX: text.default("bull"),
  PODQ_API_HOST: text.default("127.0.0.1"),
  PODQ_API_PORT: number("a port", 8750, 0, 65_535),
  PODQ_API_RATE: number("a number of requests", 1_200, 1, 1_000_000),
  PODQ_API_BODY_BYTES: number("a number of bytes", 32 * 1_048_576, 1_024, 256 * 1_048_576),
  PODQ_API_BODY_MS: number("a number of milliseconds", 300_000, 1_000, 3_600_000),
  PODQ_WEBHOOK_KEY: text.optional(),
  PODQ_WEBHOOK_KEY_FILE: text.optional(),
  PODQ_WEBHOOK_ALLOW: ranges,
  PODQ_API_SESSION_MS: number("a number of milliseconds", 8 * 3_600_000, 1_000, 30 * 86_400_000),
  PODQ_API_PROXIES: ranges,
  PODQ_LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
});

/** The settings of the API, checked and complete. Holds a secret: never logged. */
export type ApiConfig = Readonly<{
  /** Of OTEL_*; null: no traces. */
  tracing: TracingSettings | null;
  redisUrl: string;
  mongodbUri: string;
  prefix: string;
  /** Where it listens; only loopback as long as there never was a token. Port 0 takes any that is free. */
  host: string;
  port: number;
  /** Requests a minute of one token, or of one address without. */
  rate: number;
  /** Of one request, but for streamed input; and the time in which it has to be there. */
  bodyBytes: number;
  bodyMs: number;
  webhooks: WebhookConfig;
  /** How long a browser stays signed in. */
  sessionMs: number;
  /** Proxies whose X-Forwarded headers are believed. */
  proxies: readonly string[];
  logLevel: string;
}>;

/** A setting that cannot be used: the message names the variable and what it expects. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "config-invalid";
}

/** Reads the settings from the environment; an empty variable counts as unset. Throws ConfigError. */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): ApiConfig {
  const parsed = schema.safeParse(Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== "")));
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`); // never the value, which may be a secret
    throw new ConfigError(`wrong settings; ${lines.join("; ")}`);
  }
  const c = parsed.data;
  return Object.freeze({
    tracing: readTracing(env),
    redisUrl: c.REDIS_URL,
    mongodbUri: c.MONGODB_URI,
    prefix: c.PODQ_PREFIX,
    host: c.PODQ_API_HOST,
    port: c.PODQ_API_PORT,
    rate: c.PODQ_API_RATE,
    bodyBytes: c.PODQ_API_BODY_BYTES,
    bodyMs: c.PODQ_API_BODY_MS,
    webhooks: { key: masterKeyOf(c), allow: c.PODQ_WEBHOOK_ALLOW },
    sessionMs: c.PODQ_API_SESSION_MS,
    proxies: c.PODQ_API_PROXIES,
    logLevel: c.PODQ_LOG_LEVEL,
  });
}

function masterKeyOf(settings: Parameters<typeof readMasterKey>[0]): string | undefined {
  try {
    return readMasterKey(settings);
  } catch (error) {
    throw new ConfigError(`wrong settings; ${(error as Error).message}`, { cause: error });
  }
}
