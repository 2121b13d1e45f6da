import type { Code } from "@podq/jobs";
import { z } from "zod";

// What HTTP adds to podq's own codes: who asks, how often, and how.
const ownCodes = [
  "unauthorized",
  "access-denied",
  "rate-limited",
  "method-not-allowed",
  "request-too-slow",
  "body-too-large",
  "head-too-large",
  "unsupported-media-type",
] as const;

/** Why a request was not served: one of podq's codes, or one of the API's own. */
export type ProblemCode = Code | (typeof ownCodes)[number];

const statusOf: Partial<Record<ProblemCode, number>> = {
  "invalid-request": 400,
  "owner-missing": 400,
  unauthorized: 401,
  "access-denied": 403,
  "not-found": 404,
  "method-not-allowed": 405,
  "request-too-slow": 408,
  "path-refused": 400,
  conflict: 409,
  "pod-not-running": 409,
  "volume-read-only": 409,
  "body-too-large": 413,
  "unsupported-media-type": 415,
  "backlog-full": 429,
  "rate-limited": 429,
  "head-too-large": 431,
  internal: 500,
  unavailable: 503,
  "volume-full": 507,
};

const titles: Record<number, string> = {
  400: "The request is not valid",
  401: "Who are you?",
  403: "Not for this token",
  404: "There is no such thing",
  405: "Not in this way",
  408: "Too slow",
  409: "It does not go together with what is there",
  413: "Too large",
  415: "Not a kind of content that is taken here",
  429: "Too much for now",
  431: "Too large a head",
  500: "podq failed",
  503: "podq cannot be reached",
  507: "No room for it",
};

/** An error as RFC 9457 has it. `code` is stable; `field` names what is wrong in the request, `jobId` a job that may have been accepted. */
export type Problem = {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ProblemCode;
  field?: string;
  jobId?: string;
};

/** Its schema, for the description of the API. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    field: z.string().optional(),
    jobId: z.string().optional(),
  })
  .meta({ title: "Problem", description: "RFC 9457 problem details; `code` is stable." });

/** Makes a problem. Codes that no request can meet count as podq's own failure. */
export function problem(code: ProblemCode, detail: string, more: { field?: string; jobId?: string } = {}): Problem {
  const status = statusOf[code] ?? 500;
  return { type: `urn:podq:problem:${code}`, title: titles[status] ?? "podq failed", status, detail, code, ...more };
}

/** Thrown in a route to answer with a problem. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: ProblemCode;
  readonly field: string | undefined;

  constructor(code: ProblemCode, message: string, field?: string) {
    super(message);
    this.code = code;
    this.field = field;
  }
}
