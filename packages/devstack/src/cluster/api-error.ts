import type { JsonMap } from "./object.ts";

/** An answer that is an error: its body is a Status, in the words of the real API server. */
export class ApiError extends Error {
  readonly status: JsonMap;
  readonly httpCode: number;

  constructor(httpCode: number, reason: string, message: string, details?: JsonMap) {
    super(message);
    this.name = "ApiError";
    this.httpCode = httpCode;
    const optional = { ...(reason ? { reason } : {}), ...(details ? { details } : {}) };
    this.status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, ...optional, code: httpCode };
  }
}

/** How the API names a kind of object in its sentences: `pods`, `deployments.apps`. */
export type Named = { group: string; plural: string; kind: string };

const label = ({ group, plural }: Named): string => (group ? `${plural}.${group}` : plural);
const details = (of: Named, name: string): JsonMap => ({ name, ...(of.group ? { group: of.group } : {}), kind: of.plural });

export const notFound = (of: Named, name: string): ApiError =>
  new ApiError(404, "NotFound", `${label(of)} "${name}" not found`, details(of, name));

export const noSuchPath = (): ApiError => new ApiError(404, "NotFound", "the server could not find the requested resource", {});

export const alreadyExists = (of: Named, name: string): ApiError =>
  new ApiError(409, "AlreadyExists", `${label(of)} "${name}" already exists`, details(of, name));

export const conflict = (of: Named, name: string, why: string): ApiError =>
  new ApiError(409, "Conflict", `Operation cannot be fulfilled on ${label(of)} "${name}": ${why}`, details(of, name));

export const forbidden = (of: Named, name: string, why: string): ApiError =>
  new ApiError(403, "Forbidden", `${label(of)} "${name}" is forbidden: ${why}`, details(of, name));

export const badRequest = (message: string): ApiError => new ApiError(400, "BadRequest", message);

export const internal = (message: string): ApiError =>
  new ApiError(500, "InternalError", `Internal error occurred: ${message}`, { causes: [{ message }] });

export const methodNotAllowed = (): ApiError =>
  new ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});

/** `field` and `why` of a value that the API refuses; `shown` is the value as Kubernetes prints it. */
export type Cause = { field: string; reason: string; why: string };

export function invalid(of: Named, name: string, causes: readonly Cause[]): ApiError {
  const list = causes.map(({ field, why }) => `${field}: ${why}`);
  const text = list.length === 1 ? list[0] : `[${list.join(", ")}]`;
  const kind = of.group ? `${of.kind}.${of.group}` : of.kind;
  const more = { ...details(of, name), kind: of.kind, causes: causes.map(({ field, reason, why }) => ({ reason, message: why, field })) };
  return new ApiError(422, "Invalid", `${kind} "${name}" is invalid: ${text}`, more);
}
