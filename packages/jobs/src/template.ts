// Templates: what many pods are made from. Named, saved in versions that never change, and never a pod spec of Kubernetes' own: a
// template says what a create can say, and beside that what only whoever keeps the templates may.
import { z } from "zod";

const name = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
const version = "[1-9][0-9]{0,8}";

/** Name of a template: a DNS label. */
export const templateNameSchema = z.string().regex(new RegExp(`^${name}$`), { error: "must be a DNS label, like py or node-22" });

/** Which template: `py` is its newest version, `py@3` that one. */
export const templateRefSchema = z
  .string()
  .regex(new RegExp(`^${name}(@${version})?$`), { error: "must be NAME, or NAME@VERSION, like py or py@3" });

/** One version of a template. */
export type TemplateVersion = { name: string; version: number };

/** The parts of a reference; `version` is null for the newest. */
export function templateRef(text: string): { name: string; version: number | null } {
  const [of = "", number] = text.split("@");
  return { name: of, version: number === undefined ? null : Number(number) };
}

const labelKey = z.string().regex(/^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, {
  error: "is no key for a label",
});
const labelValue = z.string().regex(/^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/, { error: "is no label value" });

const toleration = z
  .strictObject({
    key: labelKey.optional(),
    operator: z.enum(["Equal", "Exists"]).optional(),
    value: labelValue.optional(),
    effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]).optional(),
    tolerationSeconds: z.int().min(0).optional(),
  })
  .refine(({ key, operator }) => key !== undefined || operator === "Exists", { error: "must have a key, unless its operator is Exists" })
  .refine(({ operator, value }) => operator !== "Exists" || value === undefined, {
    error: "has a value, which the operator Exists has not",
  })
  .refine(({ effect, tolerationSeconds }) => tolerationSeconds === undefined || effect === "NoExecute", {
    error: "has tolerationSeconds, which only the effect NoExecute has",
  });

/** What a template may say, and a create may not. */
export const templateOnly = {
  /** Pod Security level of the namespace, which the pod meets. "baseline" has to be asked for: it allows root and sudo. Default "restricted". */
  level: z.enum(["restricted", "baseline"]).optional(),
  /** Name of a RuntimeClass of the cluster, like gvisor. */
  runtimeClass: z
    .string()
    .max(253)
    .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, { error: "is no name of a RuntimeClass" })
    .optional(),
  /** Labels that the pod's node must have. */
  nodeSelector: z
    .record(labelKey, labelValue)
    .meta({ maxProperties: 32 })
    .refine((all) => Object.keys(all).length <= 32)
    .optional(),
  /** Taints of nodes that do not keep the pod away, as Kubernetes writes them. */
  tolerations: z.array(toleration).max(32).optional(),
};

/** The same, as a type. */
export type TemplateOnly = { [Field in keyof typeof templateOnly]?: Exclude<z.output<(typeof templateOnly)[Field]>, undefined> };

/**
 * The fields of a shape without their defaults, which stand in their descriptions: what a caller left out stays left out, so that it can
 * be told from what he asked.
 */
export function withoutDefaults(shape: Record<string, z.ZodType>): Record<string, z.ZodType> {
  return Object.fromEntries(Object.entries(shape).map(([field, schema]) => [field, optional(schema)]));
}

function optional(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodDefault)
    return bare(schema.unwrap() as z.ZodType)
      .optional()
      .meta({ default: schema.def.defaultValue });
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) return bare(schema.unwrap() as z.ZodType).optional();
  return schema;
}

// An object some of whose members have defaults; any other is as it was.
function bare(schema: z.ZodType): z.ZodType {
  if (!(schema instanceof z.ZodObject)) return schema;
  const members = schema.shape as Record<string, z.ZodType>;
  return Object.values(members).some((member) => member instanceof z.ZodDefault) ? z.strictObject(withoutDefaults(members)) : schema;
}
