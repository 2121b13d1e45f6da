// The kinds of job and what each takes: one schema for the SDK, the CLI and the plain BullMQ payload.
import { z } from "zod";
import { RequestError } from "./errors.ts";
import { absolutePath, argv, environment, image, inQuery, jobOptions, labelPairs, quantity, shellLine, stdin, timeout } from "./fields.ts";
import { placement } from "./placement.ts";
import { templateNameSchema, templateOnly, templateRefSchema, withoutDefaults, type TemplateOnly } from "./template.ts";
import { network } from "./network.ts";
import { defaultPodName, ownerSchema, podNameSchema, type Owner } from "./owner.ts";
import { access, exposeParams, ports, unexposeParams, waitForPortParams } from "./ports.ts";
import { probes } from "./probes.ts";

const mebibyte = 1_048_576;
const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

// An option without a default, like the later ones, leaves the digest of a request that does not name it as it was: what is repeated
// under its idempotency key after an upgrade is the same request.
const createParams = z.strictObject({
  image: image.default("gitpod/workspace-full:latest"),
  resources: z
    .strictObject({
      memory: quantity.default("200Mi"),
      cpu: quantity.default("200m"),
      memoryRequests: quantity.default("100Mi"),
      cpuRequests: quantity.default("100m"),
    })
    .prefault({}),
  /** Variables of the pod's main process. */
  env: environment.default({}),
  /** Main process: an argv, or "image" for the image's own. Default: a shell that waits and reaps. */
  command: z.union([argv, z.literal("image")], { error: 'must be an argv or "image"' }).optional(),
  /** uid, gid and fsGroup of the pod. Never root. */
  user: z.int().min(1, { error: "must not be root" }).max(2_147_483_647).default(1000),
  /** Size limit of /workspace. */
  storage: quantity.default("10Gi"),
  /**
   * What is done to a pod that is there and is other than asked: "ignore" (the default) leaves a sound one as it is and tells `differs`,
   * "update" makes it what is asked and tells `updated`, "reject" fails with `conflict`.
   */
  ifChanged: z.enum(["ignore", "update", "reject"]).optional(),
  /** By what others reach it. Default: the ports that it has, or `http` 8080. */
  ports: ports.optional(),
  /** How its ports are reached. Default: as they are, or "nodePort". */
  access: access.optional(),
  /** Deletes the pod so long after this create, whatever it does then. */
  ttlMs: timeout(365 * day).optional(),
  /** Ends the pod, as `onIdle` says (default "stop"), when for so long no job of it waited or ran and nobody reported that it was in use. */
  idleAfterMs: timeout(365 * day)
    .min(minute, { error: "must be at least 60000 ms" })
    .optional(),
  onIdle: z.enum(["stop", "delete"]).optional(),
  /** Labels of the host that a new pod is placed on. Default: whichever has most room. */
  placement: placement.optional(),
  /** What it is made from: `py`, which is the newest version at its acceptance, or `py@3`. What is given beside it wins; maps are merged. */
  template: templateRefSchema.optional(),
  probes: probes.optional(),
  network: network.optional(),
  timeoutMs: timeout(hour).default(5 * minute),
});

// Of a create with a template: what it leaves out is the template's to say, and only then has its default.
const ownShape = withoutDefaults(createParams.shape);
const ownParams = z.strictObject(ownShape) as unknown as typeof createParams;

const { template: _ref, timeoutMs: _time, ifChanged: _change, user: _user, ...templateShape } = ownShape;
const root = z.int().min(0).max(2_147_483_647).optional();

const templateSchema = z
  .strictObject({ ...templateShape, user: root, labels: withoutDefaults({ labels: jobOptions.labels })["labels"]!, ...templateOnly })
  .refine(({ user, level }) => user !== 0 || level === "baseline", { path: ["user"], error: 'is root, which takes the level "baseline"' })
  .meta({ title: "Template", description: "What a pod is made from: what a create can say, and beside that what only a template may." });

/** What a template says: what a create can say, and labels, and beside that what only a template may. What it leaves out is the create's. */
export type TemplateBody = Omit<ParamsInput<"create">, "template" | "timeoutMs" | "ifChanged"> & {
  labels?: Record<string, string>;
} & TemplateOnly;

/** What is checked of a template, but its name. */
export const templateBodySchema = templateSchema as unknown as z.ZodType<TemplateBody, TemplateBody>;

const sharesJournal = ({ parallel, maxOutputBytes }: { parallel: boolean; maxOutputBytes: number }): boolean =>
  !parallel || maxOutputBytes <= 40 * mebibyte;
const tooMuchForParallel = { path: ["maxOutputBytes"], error: "must be at most 41943040 (40 MiB) for a parallel exec" };

const execParams = z
  .strictObject({
    /** An argv, never parsed by a shell; or a string, run by the pod's `sh -c`. */
    command: z.union([argv, shellLine], { error: "must be a string or an array of strings" }),
    cwd: absolutePath.default("/workspace"),
    /** What runs a string command, as `shell -c`: a name in the pod's PATH, or an absolute path. */
    shell: z
      .string()
      .regex(/^[A-Za-z0-9_./+-]{1,255}$/, { error: "is no name of a program" })
      .default("sh"),
    env: environment.default({}),
    stdin: stdin.optional(),
    /** Of the command, from its start. Default 10 min. */
    timeoutMs: timeout(24 * hour).default(10 * minute),
    /** Between TERM and KILL when it is ended. */
    graceMs: z.int().min(0).max(minute).default(1_000),
    /** May share the pod with other parallel execs beside it in line. */
    parallel: z.boolean().default(false),
    /** May be started again when the outcome of an earlier start cannot be known. */
    retryable: z.boolean().default(false),
    /** Kept of each stream; the rest is counted. Default 16 MiB, at most 320 MiB, or 40 MiB if `parallel`: both fit the pod's journal. */
    maxOutputBytes: z
      .int()
      .min(0)
      .max(320 * mebibyte)
      .default(16 * mebibyte),
    /** Starts a pod that is stopped first; without it the job fails with `pod-not-running`. */
    startIfStopped: z.boolean().optional(),
    /** For images without a shell: take kubectl's exit status 0 for the command's. */
    trustKubectl: z.boolean().default(false),
  })
  .refine(sharesJournal, tooMuchForParallel);

/** Only if the pod is idle still when it is this job's turn; else the job ends as cancelled. */
const ifIdle = z.boolean().optional();

/** Only if the pod has lived for as long as it may still when it is this job's turn; else the job ends as cancelled. */
const ifOverdue = z.boolean().optional();

const deleteParams = z.strictObject({
  /** First cancel what runs and waits in this pod. */
  cancelPending: z.boolean().default(false),
  ifIdle,
  ifOverdue,
  timeoutMs: timeout(hour).default(5 * minute),
});

/** Of what only has to be done in time. Default 5 min. */
const timedParams = z.strictObject({ timeoutMs: timeout(hour).default(5 * minute) });

const stopParams = timedParams.extend({ ifIdle });

const paramsOf = {
  create: createParams,
  exec: execParams,
  stop: stopParams,
  start: timedParams,
  restart: timedParams,
  expose: exposeParams,
  unexpose: unexposeParams,
  delete: deleteParams,
};

/** Every kind of job. */
export const kinds = ["create", "exec", "stop", "start", "restart", "expose", "unexpose", "delete"] as const;
/** A kind of job. */
export type Kind = (typeof kinds)[number];

/** What a caller may pass as the params of a kind. */
export type ParamsInput<K extends Kind> = z.input<(typeof paramsOf)[K]>;
/** The params of a kind, complete with defaults; an exec's stdin has been taken out. */
export type Params<K extends Kind> = Omit<z.output<(typeof paramsOf)[K]>, "stdin">;
/** The params of a create as a worker makes the pod: complete, whatever was its template's to say. */
export type CreateParams = Params<"create"> & TemplateOnly;

// Of a create with a template the params in its record are what it gives itself, and nothing more.
const payload = <K extends Kind>(kind: K) =>
  z.strictObject({ owner: ownerSchema, name: podNameSchema.default(defaultPodName), params: paramsOf[kind], ...jobOptions });
const payloads = {
  create: payload("create"), // made once: zod compiles each schema
  exec: payload("exec"),
  stop: payload("stop"),
  start: payload("start"),
  restart: payload("restart"),
  expose: payload("expose"),
  unexpose: payload("unexpose"),
  delete: payload("delete"),
};
const payloadOnTemplate = payloads.create.extend({ params: ownParams });

const { idempotencyKey: _header, ...bodyOptions } = jobOptions;
const { labels: _pairs, ...queryOptions } = bodyOptions;

type OwnShape = { [Field in keyof typeof createParams.shape]: z.ZodOptional<z.ZodType<z.input<(typeof createParams.shape)[Field]>>> };

const inQueryFlag = z.enum(["true", "false"]).transform((text) => text === "true");

/** What an HTTP request of each kind carries (a delete in its query), beside the pod's address where that is in the path, and its idempotency key, which is a header. */
export const requestBodies = {
  create: z.strictObject({
    owner: ownerSchema,
    name: podNameSchema.default(defaultPodName),
    ...(ownShape as unknown as OwnShape),
    ...bodyOptions,
  }),
  delete: z.strictObject({
    cancelPending: inQueryFlag.default(false),
    ifIdle: inQueryFlag.optional(),
    ifOverdue: inQueryFlag.optional(),
    timeoutMs: inQuery(deleteParams.shape.timeoutMs.unwrap()).optional(),
    deadlineMs: inQuery(queryOptions.deadlineMs.unwrap()).optional(),
    maxAttempts: inQuery(queryOptions.maxAttempts.unwrap()).optional(),
    callbackUrl: queryOptions.callbackUrl,
    label: labelPairs.optional(),
  }),
  /** What was not kept of a job that is retried. */
  retry: z.strictObject({ env: environment.optional(), stdin: stdin.optional() }),
  stop: z.strictObject({ ...stopParams.shape, ...bodyOptions }),
  start: z.strictObject({ ...timedParams.shape, ...bodyOptions }),
  restart: z.strictObject({ ...timedParams.shape, ...bodyOptions }),
  expose: z.strictObject({ ...exposeParams.shape, ...bodyOptions }),
  unexpose: z.strictObject({ ...unexposeParams.shape, ...bodyOptions }),
  waitForPort: z.strictObject({ ...waitForPortParams.shape, ...bodyOptions }),
  /** How long the pod shall live from now. */
  extend: z.strictObject({ ttlMs: createParams.shape.ttlMs }),
  /** With `{ stream: true }` as stdin, it is sent beside the request, while the command runs. */
  exec: z
    .strictObject({ ...execParams.shape, stdin: z.union([stdin, z.strictObject({ stream: z.literal(true) })]).optional(), ...bodyOptions })
    .refine(sharesJournal, tooMuchForParallel),
};

/** A checked request: everything a job is made of. */
export type JobRequest<K extends Kind = Kind> = K extends Kind
  ? {
      kind: K;
      owner: Owner;
      name: string;
      params: Params<K>;
      /** "stream": it is written while the job waits and runs. */
      stdin: Uint8Array | "stream" | null;
      idempotencyKey: string | null;
      deadlineMs: number;
      maxAttempts: number;
      labels: Record<string, string>;
      /** Where to tell of its end, and the token whose key signs that; null for the installation's key. */
      callback: { url: string; token: string | null } | null;
    }
  : never;

/** Whether the text is a kind of job. */
export function isKind(text: string): text is Kind {
  return (kinds as readonly string[]).includes(text);
}

/**
 * Checks the payload of a job: `{ owner, name?, params?, idempotencyKey?, deadlineMs?, maxAttempts?, labels?, callbackUrl? }`.
 * Throws RequestError, `owner-missing` or `invalid-request`, whose message names the field.
 */
export function parseRequest<K extends Kind>(kind: K, payload: unknown): JobRequest<K> {
  const given = typeof payload === "object" && payload !== null ? { params: {}, ...payload } : payload;
  const schema = kind === "create" && isOnTemplate(given) ? payloadOnTemplate : payloads[kind];
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw refusal(kind, parsed.error);
  // Which schema it was is known by `kind`, and not to the compiler: the types meet again in the return.
  const { params, idempotencyKey = null, callbackUrl, ...rest } = parsed.data as Omit<z.output<(typeof payloads)["exec"]>, "kind">;
  const { stdin: text, ...others } = params;
  const callback = callbackUrl === undefined ? null : { url: callbackUrl, token: null };
  const whole = text === undefined ? null : stdinBytes(text);
  return { kind, ...rest, idempotencyKey, callback, params: others, stdin: whole } as unknown as JobRequest<K>;
}

function isOnTemplate(payload: unknown): boolean {
  const { params } = (payload ?? {}) as { params?: { template?: unknown } | null };
  return params?.template !== undefined;
}

/**
 * A create on its template: what it gives itself wins, maps (env, labels, and the figures of resources) are merged, and what neither says
 * has its default. `labels` are those of the job, which its pod has too.
 */
export function onTemplate(
  { labels = {}, level, runtimeClass, nodeSelector, tolerations, user, ...body }: TemplateBody,
  own: ParamsInput<"create">,
  ownLabels: Record<string, string>,
): { params: CreateParams; labels: Record<string, string> } {
  const env = { ...body.env, ...own.env };
  const resources = { ...body.resources, ...own.resources };
  const params = createParams.parse({ ...body, ...own, env, resources });
  const only = { level, runtimeClass, nodeSelector, tolerations, ...(own.user === undefined ? { user } : {}) };
  const said = Object.fromEntries(Object.entries(only).filter(([, value]) => value !== undefined));
  return { params: { ...params, ...said }, labels: { ...labels, ...ownLabels } };
}

/** Checks a template: its name, and what it says. Throws RequestError, whose message names the field. */
export function parseTemplate(name: unknown, body: unknown): { name: string; body: TemplateBody } {
  const parsed = z.object({ name: templateNameSchema, body: templateBodySchema }).safeParse({ name, body });
  if (parsed.success) return parsed.data;
  const [first] = parsed.error.issues;
  const named =
    first === undefined ? "it is not valid" : describe({ ...first, path: first.path[0] === "body" ? first.path.slice(1) : first.path });
  throw new RequestError("invalid-request", `template: ${named}`);
}

/** Standard input as a payload has it, as bytes. */
export function stdinBytes(text: z.output<typeof stdin>): Buffer {
  return typeof text === "string" ? Buffer.from(text) : Buffer.from(text.base64, "base64");
}

function refusal(kind: Kind, error: z.ZodError): RequestError {
  const [first] = error.issues;
  if (first === undefined) return new RequestError("invalid-request", `${kind}: the request is not valid`);
  const ownerMissing =
    (first.code === "custom" && first.params?.code === "owner-missing") ||
    (first.path.join(".") === "owner" && first.code === "invalid_type" && first.input === undefined);
  if (ownerMissing)
    return new RequestError(
      "owner-missing",
      `${kind}: owner names neither a project nor a conversation; pass { project: ID } or { conversation: ID }`,
    );
  const more = error.issues.length > 1 ? ` (and ${error.issues.length - 1} more)` : "";
  return new RequestError("invalid-request", `${kind}: ${describe(first)}${more}`);
}

function describe(issue: z.core.$ZodIssue): string {
  const field = issue.path.length === 0 ? "the request" : issue.path.map(String).join(".").slice(0, 100);
  if (issue.code === "unrecognized_keys")
    return `unknown option ${issue.keys.map((key) => JSON.stringify(key.slice(0, 100))).join(", ")}${issue.path.length === 0 ? "" : ` in ${field}`}`;
  if (issue.code === "invalid_key") return `${field} ${issue.issues[0]?.message ?? "is no valid key"}`;
  return `${field} ${/^(must|is|has|contains|names)\b/.test(issue.message) ? issue.message : `is not valid: ${issue.message}`}`;
}

/** The JSON Schema of each kind's payload, for producers in other languages: `{ create: ..., exec: ..., ... }`. */
export function payloadJsonSchema(): Record<Kind, unknown> {
  const schema = (kind: Kind): unknown => z.toJSONSchema(payloads[kind], { io: "input" });
  return Object.fromEntries(kinds.map((kind) => [kind, schema(kind)])) as Record<Kind, unknown>;
}
