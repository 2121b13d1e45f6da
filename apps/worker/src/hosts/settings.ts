// The hosts file: YAML (or JSON, which is YAML), of which nothing is guessed. hosts.example.yaml shows one.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parse, YAMLParseError } from "yaml";
import { z } from "zod";
import { ConfigError } from "../config-error.ts";

/** The way to a host by SSH. Holds secrets: never logged. */
export type SshSettings = Readonly<{
  host: string;
  port: number;
  username: string;
  keyFile: string;
  keyString: string | undefined;
  passphrase: string | undefined;
  knownHosts: string;
  trustNewHost: boolean;
  /** Connections, and channels on each: for short commands, and for held sessions and watches. */
  commands: { connections: number; channels: number };
  sessions: { connections: number; channels: number };
}>;

/** A host on which kubectl reaches a cluster, and what is to be placed there. */
export type HostSettings = Readonly<{
  name: string;
  ssh: SshSettings;
  kubectl: string;
  /** Host in access URLs; undefined: the pod's node. */
  accessHost: string | undefined;
  /** By which a create's `placement.labels` choose it. */
  labels: Readonly<Record<string, string>>;
  /** Its part of the pods, beside that of others. */
  weight: number;
  /** Pods at most, stopped ones too; null: no bound of podq's. */
  capacity: number | null;
  /** Takes no new pods. */
  drained: boolean;
  /** What jobs do that cannot reach it: wait up to their deadline, or fail. Null: tried again as often as their maxAttempts says. */
  whenDown: "wait" | "fail" | null;
}>;

const text = z.string().min(1);
const number = (min: number, max: number): z.ZodInt => z.int().min(min).max(max);
const lane = (connections: number, channels: number) =>
  z.strictObject({ connections: number(1, 64).default(connections), channels: number(1, 64).default(channels) }).prefault({});

const host = z.strictObject({
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, { error: "must be a DNS label: a-z, 0-9 and - between" }),
  ssh: z.strictObject({
    host: text,
    port: number(1, 65_535).default(22),
    username: text.default("root"),
    keyFile: text.default("~/.ssh/id_rsa"),
    /** Name of the variable that has the key's passphrase: secrets do not stand in the file. */
    passphraseVariable: text.optional(),
    knownHosts: text.default("~/.ssh/known_hosts"),
    trustNewHost: z.boolean().default(false),
    commands: lane(4, 5),
    sessions: lane(8, 8),
  }),
  kubectl: text.default("kubectl"),
  accessHost: text.optional(),
  labels: z.record(text, z.string()).default({}),
  weight: z.number().positive().max(1_000).default(1),
  capacity: number(0, 1_000_000).optional(),
  drained: z.boolean().default(false),
  whenDown: z.enum(["wait", "fail"]).default("wait"),
});
const file = z.strictObject({ hosts: z.array(host).min(1, { error: "must name at least one host" }) });

/** Reads a hosts file; the variables that it names are looked up in `env`. Throws ConfigError, whose message names host and field. */
export function readHostsFile(path: string, env: Readonly<Record<string, string | undefined>>): readonly HostSettings[] {
  const refuse = (problems: readonly string[], cause?: unknown): never => {
    throw new ConfigError(`wrong settings; PODQ_HOSTS_FILE, ${path}: ${problems.join("; ")}`, { cause });
  };
  const given = parsed(path, refuse);
  const checked = file.safeParse(given);
  if (!checked.success) return refuse(checked.error.issues.map((issue) => told(issue, given)));
  const { hosts } = checked.data;
  const twice = hosts.filter(({ name }, n) => hosts.findIndex((other) => other.name === name) < n);
  if (twice.length > 0) refuse(twice.map(({ name }) => `host ${name}: name: there are two of that name`));
  const at = (where: string): string => (where.startsWith("~/") ? join(homedir(), where.slice(2)) : resolve(dirname(path), where));
  return hosts.map(({ ssh, accessHost, capacity, ...rest }) => {
    const { passphraseVariable: variable, ...way } = ssh;
    const passphrase = variable === undefined ? undefined : env[variable];
    if (variable !== undefined && !passphrase)
      refuse([`host ${rest.name}: ssh.passphraseVariable: there is no variable ${variable}, or it is empty`]);
    const files = { keyFile: at(way.keyFile), knownHosts: at(way.knownHosts) };
    return Object.freeze({
      ...rest,
      accessHost,
      capacity: capacity ?? null,
      ssh: Object.freeze({ ...way, ...files, keyString: undefined, passphrase }),
    });
  });
}

function parsed(path: string, refuse: (problems: readonly string[], cause: unknown) => never): unknown {
  try {
    return parse(readFileSync(path, "utf8"));
  } catch (error) {
    return refuse([error instanceof YAMLParseError ? `is no YAML: ${error.message.split("\n", 1)[0]}` : (error as Error).message], error);
  }
}

// By the host's name where it has one, else by its place.
function told({ path: [list, n, ...field], message }: z.core.$ZodIssue, given: unknown): string {
  if (list !== "hosts" || typeof n !== "number") return `${list === undefined ? "" : `${String(list)}: `}${message}`;
  const { name } = ((given as { hosts: unknown[] }).hosts[n] ?? {}) as { name?: unknown };
  const who = typeof name === "string" && name !== "" ? name : `number ${n + 1}`;
  return `host ${who}: ${field.length === 0 ? "" : `${field.join(".")}: `}${message}`;
}
