import { randomUUID } from "node:crypto";
import type { JobRequest } from "@podq/jobs";
import type { Context } from "./context.ts";
import { enqueue } from "./enqueue.ts";
import { PodqError } from "./errors.ts";
import { letGo, type InputStream } from "./feed.ts";

/** Standard input of a command: whole, or a stream that is written while it runs. */
export type Stdin = string | Uint8Array | InputStream;

const largestWhole = 1_073_741_824;

/** Accepts a request with its standard input, and returns the job's id. Throws PodqError. */
export async function accept(
  { store, line, feeds, by }: Pick<Context, "store" | "line" | "feeds" | "by">,
  request: JobRequest,
  stdin: Stdin | undefined,
  options: { retryOf?: string; signal?: AbortSignal },
): Promise<string> {
  const id = randomUUID();
  const given = stdin === undefined ? null : checked(stdin, request);
  if (given === null || given instanceof Uint8Array)
    return (await enqueue(store, line, { ...request, stdin: given }, { id, by, ...options }))._id;
  const job = await enqueue(store, line, { ...request, stdin: "stream" }, { id, by, ...options });
  if (job._id === id) void feeds.start(id, given);
  else letGo(given, given[Symbol.asyncIterator]()); // an earlier request with this key has its own
  return job._id;
}

function checked(stdin: Stdin, { params }: JobRequest): Uint8Array | InputStream {
  const given = typeof stdin === "string" ? Buffer.from(stdin) : stdin;
  if (given instanceof Uint8Array) {
    if (given.byteLength <= largestWhole) return given;
    throw new PodqError("invalid-request", `exec: stdin is larger than ${largestWhole} bytes; give a stream, which may be of any length`);
  }
  if (typeof given !== "object" || given === null || !(Symbol.asyncIterator in given))
    throw new PodqError("invalid-request", "exec: stdin must be a string, bytes, or a stream of them");
  if ("retryable" in params && params.retryable)
    throw new PodqError(
      "invalid-request",
      "exec: a stream cannot be given again, so with one as stdin the command cannot be retryable; give bytes",
    );
  return given;
}
