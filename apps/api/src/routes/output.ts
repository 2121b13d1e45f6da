import { Readable } from "node:stream";
import { jobHandle, type Context } from "@podq/client/handles";
import { inQuery } from "@podq/jobs";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { demandScope } from "../access.ts";
import { anyProblem, jobParams, writeProblem } from "../schemas.ts";
import type { App } from "../server.ts";
import { allowedSignal } from "./gone.ts";
import { jobOf } from "./jobs.ts";

const offset = inQuery(z.int().min(0)).default(0);
const flag = z
  .enum(["true", "false"])
  .default("false")
  .transform((text) => text === "true");
const query = z.strictObject({
  stream: z.enum(["stdout", "stderr"]).optional(),
  from: offset,
  stdout: offset,
  stderr: offset,
  follow: flag,
});

const text = { schema: z.string() };
const ok = { description: "Bytes, or lines of JSON", content: { "application/octet-stream": text, "application/x-ndjson": text } };

/**
 * `/v1/jobs/{id}/output`: with `stream` the bytes of that one from the offset `from` on; without, both as lines of JSON, each
 * `{ stream, offset, data (base64), gap?, restarted? }`, from the offsets `stdout` and `stderr`.
 */
export function addOutputRoutes(app: App, context: Context): void {
  app.get(
    "/v1/jobs/:id/output",
    { schema: { summary: "What an exec's command wrote", params: jobParams, querystring: query, response: { 200: ok, ...anyProblem } } },
    async (request, reply) => {
      const { stream, from, stdout, stderr, follow } = request.query;
      const signal = allowedSignal(context.store, request, reply);
      const { _id: id } = await jobOf(context, request.caller, request.params.id);
      // The stream that was not asked for is begun beyond its end.
      const begin = stream === undefined ? { stdout, stderr } : { stdout: Infinity, stderr: Infinity, [stream]: from };
      const pieces = jobHandle(context, id).output({ from: begin, follow, signal });
      reply.type(stream === undefined ? "application/x-ndjson" : "application/octet-stream");
      const body = stream === undefined ? lines(pieces) : bytes(pieces);
      const begun = follow ? atOnce(reply, quiet(body, signal)) : quiet(body, signal);
      return reply.send(Readable.from(begun, { objectMode: false }) as never);
    },
  );

  app.delete(
    "/v1/jobs/:id/output",
    { schema: { summary: "Remove what an ended exec's command wrote", params: jobParams, response: { 204: z.null(), ...writeProblem } } },
    async (request, reply) => {
      demandScope(request.caller, "run");
      const { _id: id } = await jobOf(context, request.caller, request.params.id);
      await jobHandle(context, id).discardOutput();
      return reply.code(204).send(null);
    },
  );
}

type Pieces = ReturnType<ReturnType<typeof jobHandle>["output"]>;

async function* bytes(pieces: Pieces): AsyncGenerator<Buffer> {
  for await (const { data } of pieces) yield data;
}

async function* lines(pieces: Pieces): AsyncGenerator<Buffer> {
  for await (const { data, ...piece } of pieces) yield Buffer.from(`${JSON.stringify({ ...piece, data: data.toString("base64") })}\n`);
}

// Whoever follows hears that he does before the first byte is written, however long that takes.
async function* atOnce({ raw }: FastifyReply, body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  raw.flushHeaders();
  yield* body;
}

// A caller who has gone is no failure.
async function* quiet(body: AsyncIterable<Buffer>, gone: AbortSignal): AsyncGenerator<Buffer> {
  try {
    yield* body;
  } catch (error) {
    if (!gone.aborted) throw error;
  }
}
