import { Readable } from "node:stream";
import { podHandle, type Context } from "@podq/client/handles";
import type { Files, PodPath } from "@podq/client";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { demandOwner, demandScope } from "../access.ts";
import { ApiError } from "../problem.ts";
import { addressOf, namedPodParams, podParams, writeProblem } from "../schemas.ts";
import type { App } from "../server.ts";
import { allowedSignal } from "./gone.ts";

const flag = z
  .enum(["true", "false"])
  .default("false")
  .transform((text) => text === "true");
const where = {
  path: z.string().max(4_096).optional(),
  path64: z.base64url().max(8_192).optional().meta({ description: "The path as base64url, where it is no UTF-8." }),
};
const mode = z
  .string()
  .regex(/^[0-7]{3,4}$/, { error: "must be permissions in octal, like 644" })
  .transform((text) => Number.parseInt(text, 8))
  .optional();
const entry = z.object({
  path: z.string(),
  path64: z.string(),
  type: z.enum(["file", "directory", "symlink", "other"]),
  size: z.int(),
  mode: z.int(),
  modifiedAt: z.date(),
  target64: z.string().optional(),
});
const bytes = { description: "The file's bytes", content: { "application/octet-stream": { schema: z.string() } } };
const tar = { description: "A tar", content: { "application/x-tar": { schema: z.string() } } };
const written = z.object({ bytes: z.int(), sha256: z.string() });

/** `/v1/pods/{owner}/{id}/files`: read, write, list and remove what is in a pod's /workspace. */
export function addFileRoutes(app: App, context: Context): void {
  // Whose files: of a pod that there is, and that the caller may run commands in, which all of this does.
  const filesOf = async (
    request: FastifyRequest,
    reply: FastifyReply,
    params: Parameters<typeof addressOf>[0],
  ): Promise<{ files: Files; signal: AbortSignal }> => {
    const { owner, name, key } = addressOf(params);
    demandScope(request.caller, "run");
    demandOwner(request.caller, owner);
    if ((await context.store.pods.get(key)) === null) throw new ApiError("not-found", `there is no pod ${key}`);
    const { files } = podHandle({ ...context, by: request.caller }, { ...owner, name });
    return { files, signal: allowedSignal(context.store, request, reply) };
  };

  for (const [pod, params] of [
    ["/v1/pods/:owner/:id", podParams],
    ["/v1/pods/:owner/:id/:name", namedPodParams],
  ] as const) {
    app.get(
      `${pod}/files`,
      {
        schema: { summary: "Read a file of a pod", params, querystring: z.strictObject(where), response: { 200: bytes, ...writeProblem } },
      },
      async (request, reply) => {
        const { files, signal } = await filesOf(request, reply, request.params);
        const body = files.get(pathOf(request.query), { signal });
        reply.type("application/octet-stream");
        return reply.send((await begun(body)) as never);
      },
    );

    app.get(
      `${pod}/files/tar`,
      {
        schema: {
          summary: "Read a folder of a pod as a tar",
          params,
          querystring: z.strictObject(where),
          response: { 200: tar, ...writeProblem },
        },
      },
      async (request, reply) => {
        const { files, signal } = await filesOf(request, reply, request.params);
        reply.type("application/x-tar");
        return reply.send((await begun(files.getTar(pathOf(request.query), { signal }))) as never);
      },
    );

    app.get(
      `${pod}/files/list`,
      {
        schema: {
          summary: "List a folder of a pod",
          description: "At most 50,000 entries, and 8 MiB of what the pod says of them: more is `path-refused`.",
          params,
          querystring: z.strictObject({ ...where, recursive: flag }),
          response: { 200: z.object({ items: z.array(entry) }), ...writeProblem },
        },
      },
      async (request, reply) => {
        const { files, signal } = await filesOf(request, reply, request.params);
        const entries = await files.list(pathOf(request.query), { recursive: request.query.recursive, signal });
        const items = entries.map(({ pathBytes, target, ...rest }) => ({
          ...rest,
          path64: pathBytes.toString("base64url"),
          ...(target && { target64: target.toString("base64url") }),
        }));
        return { items };
      },
    );

    app.put(
      `${pod}/files`,
      {
        config: { endless: true },
        schema: {
          summary: "Write a file of a pod, of any length",
          description:
            "The body is the file. It has its name when all of it is there, and replaces what had it; cut off before, nothing changes.",
          params,
          querystring: z.strictObject({ ...where, mode }),
          consumes: ["application/octet-stream"],
          response: { 200: written, ...writeProblem },
        },
      },
      async (request, reply) => {
        if (!(request.body instanceof Readable))
          throw new ApiError(
            "unsupported-media-type",
            "the body is the file as it is; send it with the content type application/octet-stream",
          );
        const { files, signal } = await filesOf(request, reply, request.params);
        const { mode: permissions, ...path } = request.query;
        const options = { signal, ...(permissions !== undefined && { mode: permissions }) };
        return files.put(pathOf(path), request.body, options);
      },
    );

    app.delete(
      `${pod}/files`,
      {
        schema: {
          summary: "Remove a file of a pod, or with `recursive` a folder",
          params,
          querystring: z.strictObject({ ...where, recursive: flag }),
          response: { 204: z.null(), ...writeProblem },
        },
      },
      async (request, reply) => {
        const { files, signal } = await filesOf(request, reply, request.params);
        const removed = await files.remove(pathOf(request.query), { recursive: request.query.recursive, signal });
        if (!removed) throw new ApiError("not-found", "there is no such file");
        return reply.code(204).send(null);
      },
    );
  }
}

function pathOf({ path = "", path64 }: { path?: string | undefined; path64?: string | undefined }): PodPath {
  return path64 === undefined ? path : Buffer.from(path64, "base64url");
}

// The answer's head waits for the first bytes, so that what cannot be read is answered with its reason.
async function begun(body: AsyncIterable<Buffer>): Promise<Readable> {
  const pieces = body[Symbol.asyncIterator]();
  const first = await pieces.next();
  const all = async function* (): AsyncGenerator<Buffer> {
    if (first.done !== true) yield first.value;
    yield* { [Symbol.asyncIterator]: () => pieces };
  };
  return Readable.from(all(), { objectMode: false });
}
