import {
  parseTemplate,
  RequestError,
  templateRef,
  templateRefSchema,
  type JobRequest,
  type TemplateBody,
  type TemplateVersion,
} from "@podq/jobs";
import type { Store, TemplateRecord } from "@podq/store";
import { asPodqError, PodqError } from "./errors.ts";

/** A template as it is given: its name, and what it says. */
export type Template = { name: string } & TemplateBody;

/** What pods are made from. Methods throw PodqError; over HTTP, saving and deleting take a token of scope admin that is bound to no owner. */
export type Templates = {
  /** Saves a template: a new version, unless the newest says the same already. `isNew` tells which. */
  apply: (template: Template) => Promise<TemplateRecord & { isNew: boolean }>;
  /** A version, `py@3`, or the newest of a name. Null: there is none. */
  get: (ref: string) => Promise<TemplateRecord | null>;
  /** The newest version of each; or all versions of one, newest first. */
  list: (name?: string) => Promise<TemplateRecord[]>;
  /** Deletes a template with all its versions. Pods that were made from it stay as they are. Throws `not-found`. */
  delete: (name: string) => Promise<void>;
};

/** The templates in MongoDB. */
export function openTemplates({ templates }: Pick<Store, "templates">): Templates {
  return {
    apply: async ({ name, ...said }) =>
      asked(async () => {
        const { body } = parseTemplate(name, said);
        const { template, isNew } = await templates.save(name, body);
        return { ...template, isNew };
      }),
    get: async (text) =>
      asked(async () => {
        const { name, version } = checkedRef(text);
        return templates.find(name, version);
      }),
    list: async (name) => asked(async () => templates.list(name)),
    delete: async (name) =>
      asked(async () => {
        if (!(await templates.remove(name))) throw noTemplate(name);
      }),
  };
}

async function asked<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asPodqError(error);
  }
}

/** The parts of a reference. Throws PodqError `invalid-request`. */
export function checkedRef(text: string): { name: string; version: number | null } {
  const parsed = templateRefSchema.safeParse(text);
  if (parsed.success) return templateRef(parsed.data);
  throw new PodqError("invalid-request", `template ${parsed.error.issues[0]?.message ?? "is not valid"}`);
}

/**
 * The version that a create is made from, fixed as it is accepted; undefined where it names no template, or its key has been used: then the
 * first request under that key counts, whatever became of the template. Throws RequestError `not-found`, `invalid-request`.
 */
export async function pinnedTemplate(
  { templates, jobs }: Pick<Store, "templates" | "jobs">,
  request: JobRequest,
): Promise<TemplateVersion | undefined> {
  const { kind, params } = request;
  if (kind !== "create" || params.template === undefined) return undefined;
  const { name, version } = templateRef(params.template);
  const found = await templates.find(name, version);
  if (found !== null && !isOtherImage(found, params)) return { name, version: found.version };
  if (await jobs.isRepeated(request)) return undefined;
  if (found === null) throw noTemplate(params.template);
  const message = `create: template ${params.template} is of the level baseline, which holds for its own image alone; leave image out`;
  throw new RequestError("invalid-request", message);
}

// Who keeps the templates trusts an image with more than every pod may do, and not whatever a caller names.
function isOtherImage({ body }: TemplateRecord, { image }: { image?: string }): boolean {
  return body.level === "baseline" && body.image !== undefined && image !== undefined && image !== body.image;
}

function noTemplate(ref: string): RequestError {
  return new RequestError("not-found", `there is no template ${ref}; podq template ls shows them`);
}
