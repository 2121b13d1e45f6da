import { homedir } from "node:os";
import { join } from "node:path";
import { parseQuantity } from "@podq/kube";
import { readTracing, type TracingSettings } from "@podq/tracing";
import { wrongUrlTemplate, type IngressSettings } from "@podq/kube";
import { z } from "zod";
import { ConfigError } from "./config-error.ts";
import { readHostsFile, type HostSettings } from "./hosts/settings.ts";
import type { OwnerLimits } from "./limits.ts";

const wholeNumber = (name: string, fallback: number, min: number, max: number): z.ZodType<number> =>
  z.coerce
    .number({ error: `${name} must be a whole number` })
    .int()
    .min(min)
    .max(max)
    .default(fallback);
const milliseconds = (fallback: number, min = 100): z.ZodType<number> => wholeNumber("a duration", fallback, min, 604_800_000);
const quantity = z
  .string()
  .refine((given) => (parseQuantity(given) ?? 0n) > 0n, { error: "must be a Kubernetes quantity above 0, like 8 or 16Gi" });
const text = z.string().min(1);
const path = text.transform((given) => given.replace(/^~(?=\/)/, homedir()));

// Names, defaults and bounds of every variable that a worker reads; `.env.example` lists them.
const schema = z.object({
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).default("redis://127.0.0.1:6379"),
  MONGODB_URI: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\//, { error: "must begin with mongodb:// or mongodb+srv://" })
    .default("mongodb://127.0.0.1:27017/podq?replicaSet=rs0"),
  PODQ_PREFIX: text.default("bull"),
  PODQ_INSTALLATION: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$/, { error: "must be a DNS label of at most 24 characters" })
    .default("podq"),
  PODQ_ACCESS_HOST: text.optional(),
  PODQ_KUBECTL: text.default("kubectl"),
  PODQ_LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
  PODQ_CONCURRENCY: wholeNumber("a number of jobs", 64, 1, 1_000),
  PODQ_HOST_CONCURRENCY: wholeNumber("a number of jobs", 0, 0, 1_000),
  PODQ_SESSIONS: wholeNumber("a number of sessions", 64, 1, 512),
  PODQ_SESSION_COMMANDS: wholeNumber("a number of commands", 32, 1, 256),
  PODQ_SESSION_IDLE_MS: milliseconds(60_000),
  PODQ_JOURNAL_SIZE: z
    .string()
    .regex(/^[1-9]\d{0,3}Gi$/, { error: "must be whole Gi, like 1Gi: less would not hold what may run at once" })
    .default("1Gi"),
  PODQ_LEASE_MS: milliseconds(10_000, 500),
  PODQ_STALL_CHECK_MS: milliseconds(5_000),
  PODQ_SWEEP_MS: milliseconds(3_000),
  PODQ_RECONCILE_MS: milliseconds(3_000),
  PODQ_RECONCILE_PASS_MS: milliseconds(300_000, 1_000),
  PODQ_ORPHAN_GRACE_MS: milliseconds(60_000, 0),
  PODQ_STDIN_SILENCE_MS: milliseconds(60_000, 1_000),
  PODQ_GRACE_MS: milliseconds(30_000, 0),
  PODQ_METRICS_PORT: wholeNumber("a port", 0, 0, 65_535),
  PODQ_METRICS_HOST: text.default("127.0.0.1"),
  PODQ_RETENTION_MS: wholeNumber("a duration", 7 * 86_400_000, 60_000, 366 * 86_400_000),
  PODQ_BACKLOG: wholeNumber("a number of jobs", 1_000, 1, 1_000_000),
  PODQ_OWNER_PODS: z.coerce.number({ error: "must be a whole number" }).int().min(1).optional(),
  PODQ_OWNER_CPU: quantity.optional(),
  PODQ_OWNER_MEMORY: quantity.optional(),
  PODQ_INGRESS_URL: text
    .superRefine((url, check) => {
      const wrong = wrongUrlTemplate(url);
      if (wrong !== null) check.addIssue(wrong);
    })
    .optional(),
  PODQ_INGRESS_CLASS: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, { error: "must be the name of an IngressClass" })
    .optional(),
  PODQ_NETWORK_IMAGE: text.optional(),
  PODQ_HOSTS_FILE: path.optional(),
  K8S_SSH_HOST: text.default("127.0.0.1"),
  K8S_SSH_PORT: wholeNumber("a port", 22, 1, 65_535),
  K8S_SSH_USERNAME: text.default("root"),
  K8S_SSH_KEY_FILE: path.default(() => join(homedir(), ".ssh/id_rsa")),
  K8S_SSH_KEY_STRING: text.optional(),
  K8S_SSH_KEY_PASSPHRASE: text.optional(),
  K8S_SSH_KNOWN_HOSTS: path.default(() => join(homedir(), ".ssh/known_hosts")),
  K8S_SSH_TRUST_NEW_HOST: z.enum(["0", "1"]).default("0"),
  K8S_SSH_CONNECTIONS: wholeNumber("a number of connections", 4, 1, 64),
  K8S_SSH_CHANNELS: wholeNumber("a number of channels", 5, 1, 64),
  K8S_SSH_SESSION_CONNECTIONS: wholeNumber("a number of connections", 8, 1, 64),
  K8S_SSH_SESSION_CHANNELS: wholeNumber("a number of channels", 8, 1, 64),
});

/** The settings of a worker, checked and complete. Holds secrets: never logged. */
export type WorkerConfig = Readonly<{
  /** Of OTEL_*; null: no traces. */
  tracing: TracingSettings | null;
  redisUrl: string;
  mongodbUri: string;
  prefix: string;
  installation: string;
  logLevel: string;
  concurrency: number;
  /** Jobs at once of one of several hosts; undefined: no bound. */
  hostConcurrency: number | undefined;
  /** Kept sessions at once, commands at once in one of them, and how long one is kept without a command. */
  sessions: Readonly<{ max: number; commands: number; idleMs: number }>;
  /** Size limit of the volume in each pod that holds the journal of its execs. */
  journalSize: string;
  leaseMs: number;
  stallCheckMs: number;
  sweepMs: number;
  /** How often records and cluster are brought to agree, how often all of them, and how long a namespace without a living record is left. */
  reconcile: Readonly<{ everyMs: number; passEveryMs: number; orphanGraceMs: number }>;
  /** How long the writer of a streamed stdin may not be heard of. */
  stdinSilenceMs: number;
  graceMs: number;
  /** Where `/metrics` is served; null: nowhere. */
  metrics: Readonly<{ host: string; port: number }> | null;
  retentionMs: number;
  maxBacklog: number;
  /** What one owner's pods may come to. */
  ownerLimits: OwnerLimits;
  /** How pods are reached that ask for an ingress; undefined: none can. */
  ingress: Readonly<IngressSettings> | undefined;
  /** With which it is tried whether a cluster's network enforces NetworkPolicies; undefined: it is not tried. */
  networkImage: string | undefined;
  /** Where the hosts come from; undefined: from K8S_SSH_*. */
  hostsFile: string | undefined;
  /** At least one: those of the file, or the one of K8S_SSH_*, named `default`. */
  hosts: readonly HostSettings[];
}>;

/** Reads the settings from the environment; an empty variable counts as unset. Throws ConfigError. */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): WorkerConfig {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`); // never the value, which may be a secret
    throw new ConfigError(`wrong settings; ${lines.join("; ")}`);
  }
  const c = parsed.data;
  const hosts = c.PODQ_HOSTS_FILE === undefined ? [onlyHost(c)] : readHostsFile(c.PODQ_HOSTS_FILE, given);
  if (c.PODQ_INGRESS_CLASS !== undefined && c.PODQ_INGRESS_URL === undefined)
    throw new ConfigError("wrong settings; PODQ_INGRESS_CLASS: is for an ingress, and PODQ_INGRESS_URL is not set");
  return Object.freeze({
    tracing: readTracing(given),
    redisUrl: c.REDIS_URL,
    mongodbUri: c.MONGODB_URI,
    prefix: c.PODQ_PREFIX,
    installation: c.PODQ_INSTALLATION,
    logLevel: c.PODQ_LOG_LEVEL,
    concurrency: c.PODQ_CONCURRENCY,
    hostConcurrency: hosts.length < 2 ? undefined : c.PODQ_HOST_CONCURRENCY || Math.ceil(c.PODQ_CONCURRENCY / 2),
    sessions: Object.freeze({ max: c.PODQ_SESSIONS, commands: c.PODQ_SESSION_COMMANDS, idleMs: c.PODQ_SESSION_IDLE_MS }),
    journalSize: c.PODQ_JOURNAL_SIZE,
    leaseMs: c.PODQ_LEASE_MS,
    stallCheckMs: c.PODQ_STALL_CHECK_MS,
    sweepMs: c.PODQ_SWEEP_MS,
    reconcile: Object.freeze({
      everyMs: c.PODQ_RECONCILE_MS,
      passEveryMs: c.PODQ_RECONCILE_PASS_MS,
      orphanGraceMs: c.PODQ_ORPHAN_GRACE_MS,
    }),
    stdinSilenceMs: c.PODQ_STDIN_SILENCE_MS,
    graceMs: c.PODQ_GRACE_MS,
    metrics: c.PODQ_METRICS_PORT === 0 ? null : Object.freeze({ host: c.PODQ_METRICS_HOST, port: c.PODQ_METRICS_PORT }),
    retentionMs: c.PODQ_RETENTION_MS,
    maxBacklog: c.PODQ_BACKLOG,
    ownerLimits: Object.freeze({ pods: c.PODQ_OWNER_PODS, cpu: c.PODQ_OWNER_CPU, memory: c.PODQ_OWNER_MEMORY }),
    ingress: ingressOf(c),
    networkImage: c.PODQ_NETWORK_IMAGE,
    hostsFile: c.PODQ_HOSTS_FILE,
    hosts: Object.freeze(hosts),
  });
}

function ingressOf({ PODQ_INGRESS_URL: url, PODQ_INGRESS_CLASS: className }: z.output<typeof schema>): WorkerConfig["ingress"] {
  return url === undefined ? undefined : Object.freeze({ url, ...(className !== undefined && { className }) });
}

function onlyHost(c: z.output<typeof schema>): HostSettings {
  return Object.freeze({
    name: "default",
    kubectl: c.PODQ_KUBECTL,
    accessHost: c.PODQ_ACCESS_HOST,
    labels: {},
    weight: 1,
    capacity: null,
    drained: false,
    whenDown: null,
    ssh: Object.freeze({
      host: c.K8S_SSH_HOST,
      port: c.K8S_SSH_PORT,
      username: c.K8S_SSH_USERNAME,
      keyFile: c.K8S_SSH_KEY_FILE,
      keyString: c.K8S_SSH_KEY_STRING,
      passphrase: c.K8S_SSH_KEY_PASSPHRASE,
      knownHosts: c.K8S_SSH_KNOWN_HOSTS,
      trustNewHost: c.K8S_SSH_TRUST_NEW_HOST === "1",
      commands: { connections: c.K8S_SSH_CONNECTIONS, channels: c.K8S_SSH_CHANNELS },
      sessions: { connections: c.K8S_SSH_SESSION_CONNECTIONS, channels: c.K8S_SSH_SESSION_CHANNELS },
    }),
  });
}
