import { z } from "zod";

const day = 86_400_000;
const maxArgumentBytes = 131_071; // Linux takes 128 KiB for one argument or variable, its closing NUL included
const maxArgvBytes = 1_048_576;

// Beside a check that JSON Schema has no word for stands, as `meta`, what it can say of it.

/** Text that can be an argument of a process: any characters but NUL, at most 128 KiB. */
const argument = z
  .string()
  .meta({ pattern: String.raw`^[^\u0000]*$`, maxLength: maxArgumentBytes })
  .refine((text) => !text.includes("\0"), { error: "contains a NUL character, which no argument or variable can" })
  .refine((text) => Buffer.byteLength(text) <= maxArgumentBytes, {
    error: `is longer than ${maxArgumentBytes} bytes, the most Linux takes`,
  });

const totalBytes = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);

/** An argv: the program and its arguments, 1 MiB in all. */
export const argv = z
  .array(argument)
  .min(1, { error: "is empty" })
  .max(4096, { error: "has more than 4096 arguments" })
  .meta({ prefixItems: [{ type: "string", pattern: String.raw`^[^\u0000]+$`, maxLength: maxArgumentBytes }] })
  .refine((words) => words[0] !== "", { error: "names no program: its first word is empty" })
  .refine((words) => totalBytes(words) <= maxArgvBytes, { error: `is larger than ${maxArgvBytes} bytes in all` });

/** A command line for the pod's shell. */
export const shellLine = argument
  .meta({ pattern: String.raw`^[^\u0000]*[^\s\u0000][^\u0000]*$` })
  .refine((text) => text.trim() !== "", { error: "is empty" });

/** Environment variables: values are any text without NUL, 1 MiB in all. */
export const environment = z
  .record(
    z.string().regex(/^(?!PODQ_RUN$)[A-Za-z_][A-Za-z0-9_.-]{0,255}$/, { error: "is no name for a variable, or podq's own" }),
    argument,
  )
  .refine((env) => totalBytes(Object.entries(env).flat()) <= maxArgvBytes, { error: `is larger than ${maxArgvBytes} bytes in all` });

/** Kubernetes labels. podq's own keys cannot be set. */
export const labels = z
  .record(
    z
      .string()
      .regex(/^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, { error: "is no key for a label" })
      .regex(/^(?!([a-z0-9.-]*\.)?(podq\.dev|kubernetes\.io|k8s\.io)\/)/, { error: "is a reserved label key" }),
    z
      .string()
      .regex(/^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/, { error: "is no label value (at most 63 of A-Z a-z 0-9 . _ -)" }),
  )
  .meta({ maxProperties: 32 })
  .refine((all) => Object.keys(all).length <= 32, { error: "has more than 32 labels" });

const pair = z.string().regex(/^[^=]+=/, { error: "is not KEY=VALUE" });
/** Labels as a query has them: `KEY=VALUE`, once or more. */
export const labelPairs = z.union([pair, z.array(pair)], { error: "is not KEY=VALUE" });

/** A Kubernetes quantity above zero, like `200m`, `0.5`, `64Mi`. */
export const quantity = z
  .string()
  .max(32, { error: "is too long for a quantity" })
  .regex(/^(?=.*[1-9])[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/, {
    error: "is no quantity; write a number with a Kubernetes suffix, like 200m or 64Mi",
  });

/** An image reference, which is ASCII without spaces. What it names is for the cluster to say. */
export const image = z.string().regex(/^[!-,.-~][!-~]{0,511}$/, { error: "is no image reference" });

/** A time-out in milliseconds, at most the given number. */
export function timeout(maxMs: number): z.ZodNumber {
  return z
    .int({ error: "must be a whole number of milliseconds" })
    .min(1, { error: "must be at least 1 ms" })
    .max(maxMs, { error: `must be at most ${maxMs} ms` });
}

/** A whole number as a query has it: checked as text, since an empty one would count as 0. Described as the number it is. */
export function inQuery(schema: z.ZodType<number, number>): z.ZodType<number, string> {
  const { $schema: _draft, ...described } = z.toJSONSchema(schema);
  return z
    .string()
    .regex(/^\d{1,16}$/, { error: "must be a whole number" })
    .transform(Number)
    .pipe(schema)
    .meta({ ...described, pattern: undefined });
}

/** An absolute path in the pod. */
export const absolutePath = argument
  .meta({ pattern: String.raw`^/[^\u0000]*$`, maxLength: 4096 })
  .refine((path) => path.startsWith("/") && path.length <= 4096, { error: "must be an absolute path" });

/** Standard input given whole: text, or bytes as base64. At most 16 MiB. */
export const stdin = z
  .union([z.string(), z.strictObject({ base64: z.base64() })], { error: 'must be a string or { base64: "..." }' })
  .refine((value) => (typeof value === "string" ? Buffer.byteLength(value) : value.base64.length * 0.75) <= 16_777_216, {
    error: "is larger than 16777216 bytes",
  });

/**
 * Where to be told of a job's end: an http or https address without credentials, of at most 2,048 characters. Which addresses
 * are allowed is for the installation to say.
 */
export const callbackUrl = z
  .string()
  .max(2_048, { error: "is longer than 2048 characters" })
  .regex(/^https?:\/\/[^\s\\/?#@]+([/?#]\S*)?$/i, { error: "must be an http:// or https:// address without credentials" })
  .refine((text) => URL.canParse(text), { error: "is no address" });

/** Options that every job takes, in the payload as in the SDK. */
export const jobOptions = {
  /** Unique per pod: the same key with the same request is the first job again. */
  idempotencyKey: z.string().min(1, { error: "is empty" }).max(256, { error: "is longer than 256 characters" }).optional(),
  /** How long after its acceptance the job may still start an attempt. Default 24 h, at most 7 days. */
  deadlineMs: timeout(7 * day).default(day),
  /** How many attempts may begin before a failure that could be retried is final. Default 25. */
  maxAttempts: z.int().min(1, { error: "must be at least 1" }).max(100, { error: "must be at most 100" }).default(25),
  /** Labels of the job, to find it by. A create gives them to the pod too. */
  labels: labels.default({}),
  /** Where a signed request tells of the job's end: at least once, repeated until it is answered with 2xx. */
  callbackUrl: callbackUrl.optional(),
};
