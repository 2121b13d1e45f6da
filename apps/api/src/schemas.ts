import { inQuery, ownerIdSchema, podKey, podNameSchema, type Owner } from "@podq/jobs";
import { z } from "zod";
import { ApiError, problemSchema } from "./problem.ts";

const kindOfOwner = z.enum(["project", "conversation"]);

/** `/{owner}/{id}`: whose default pod. */
export const podParams = z.strictObject({ owner: kindOfOwner, id: ownerIdSchema });
/** `/{owner}/{id}/{name}`: which of his pods. */
export const namedPodParams = podParams.extend({ name: podNameSchema });
/** `/{id}` of a job. */
export const jobParams = z.strictObject({ id: z.string().min(1).max(128) });

/** The owner that a path names, and the pod's name. */
export function addressOf(params: { owner: "project" | "conversation"; id: string; name?: string }): {
  owner: Owner;
  name: string;
  key: string;
} {
  const owner: Owner = params.owner === "project" ? { project: params.id } : { conversation: params.id };
  const { name = "default" } = params;
  return { owner, name, key: podKey(owner, name) };
}

/** How much of a list to show, and where to go on: `cursor` is the `next` of the page before. */
export const page = { limit: inQuery(z.int().min(1).max(1_000)).default(100), cursor: z.string().max(1_024).optional() };

/** The position, of this form, that a cursor stands for. Throws ApiError for one that was not made by {@link cursorOf}. */
export function positionOf<Position extends z.ZodType>(cursor: string | undefined, position: Position): z.output<Position> | undefined {
  if (cursor === undefined) return undefined;
  try {
    return position.parse(JSON.parse(Buffer.from(cursor, "base64url").toString()));
  } catch {
    throw new ApiError("invalid-request", "cursor: must be the `next` of an earlier page", "cursor");
  }
}

/** A position as a cursor. */
export function cursorOf(position: readonly string[]): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

/** The header of a request that may be sent twice. */
export const idempotencyHeader = z.object({ "idempotency-key": z.string().min(1).max(256).optional() });

const problems = (...statuses: number[]): Record<number, object> =>
  Object.fromEntries(
    statuses.map((status) => [status, { description: "Problem", content: { "application/problem+json": { schema: problemSchema } } }]),
  );
/** Problems that every route may answer with. */
export const anyProblem = problems(400, 401, 403, 404, 429, 431, 500, 503);
/** The same of routes that write. */
export const writeProblem = { ...anyProblem, ...problems(409, 413, 415, 507) };
