import { jobHandle, keptResult, toJobStatus, type Context } from "@podq/client/handles";
import {
  isTerminal,
  jobStates,
  jobWire,
  jobWithResultWire,
  ownerTextSchema,
  requestBodies,
  signalAnswers,
  signalNames,
  stdinBytes,
} from "@podq/jobs";
import type { JobDocument } from "@podq/store";
import type { Readable } from "node:stream";
import { z } from "zod";
import { demandScope, reaches, type Caller } from "../access.ts";
import type { createFollowers } from "../followers.ts";
import { ApiError } from "../problem.ts";
import { anyProblem, cursorOf, jobParams, page, positionOf, writeProblem } from "../schemas.ts";
import type { App } from "../server.ts";
import { allowedSignal, goneSignal } from "./gone.ts";
import { ownersOf } from "./pods.ts";

const listed = z.object({ items: z.array(jobWire), next: z.string().nullable() });
const filter = z.strictObject({
  ...page,
  owner: ownerTextSchema.optional(),
  name: z.string().max(128).optional(),
  state: z.enum(jobStates).optional(),
});
const waiting = z.strictObject({
  wait: z
    .string()
    .regex(/^([1-9]|[1-5]\d|60)s$/, { error: "must be 1s to 60s" })
    .transform((text) => Number.parseInt(text, 10) * 1_000)
    .optional(),
});

/** A job that the caller may see. One of another owner is not there for him. */
export async function jobOf(context: Context, caller: Caller, id: string): Promise<JobDocument> {
  const job = await context.store.jobs.get(id);
  if (job === null || !reaches(caller, job.owner))
    throw new ApiError("not-found", `there is no job ${id}; jobs are kept for a while after their end, then removed`);
  return job;
}

/** `/v1/jobs`: list, look at, wait for, cancel and signal jobs. */
export function addJobRoutes(app: App, context: Context, followers: ReturnType<typeof createFollowers>): void {
  const { store } = context;
  const statusOf = async (job: JobDocument): Promise<object> =>
    toJobStatus(job, job.state === "queued" ? await store.jobs.ahead(job) : null);

  app.get(
    "/v1/jobs",
    { schema: { summary: "List jobs, newest first", querystring: filter, response: { 200: listed, ...anyProblem } } },
    async (request) => {
      const { owner, name, state, limit, cursor } = request.query;
      if (name !== undefined && owner === undefined)
        throw new ApiError("invalid-request", "name: names one of an owner's pods, so give the owner too", "name");
      const owners = ownersOf(request.caller, owner);
      const [at, id] = positionOf(cursor, z.tuple([z.iso.datetime(), z.string()])) ?? [];
      const jobs = await store.jobs.list(
        {
          ...(state && { state }),
          ...(owner !== undefined && name !== undefined ? { podKey: `${owner}/${name}` } : owners && { owners }),
          ...(at !== undefined && id !== undefined && { before: { createdAt: new Date(at), id } }),
        },
        limit,
      );
      const last = jobs.length < limit ? undefined : jobs.at(-1);
      return {
        items: jobs.map((job) => toJobStatus(job, null)) as never[],
        next: last === undefined ? null : cursorOf([last.createdAt.toISOString(), last._id]),
      };
    },
  );

  app.get(
    "/v1/jobs/:id",
    {
      schema: {
        summary: "Where a job stands; `wait` holds the answer until its end",
        params: jobParams,
        querystring: waiting,
        response: { 200: jobWithResultWire, ...anyProblem },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const gone = goneSignal(reply);
      let job = await jobOf(context, request.caller, id);
      const { wait } = request.query;
      if (wait !== undefined && !isTerminal(job.state)) {
        const over = AbortSignal.any([AbortSignal.timeout(wait), gone]);
        const follower = await followers.jobs.follow(id);
        try {
          for (job = await jobOf(context, request.caller, id); !isTerminal(job.state); job = await jobOf(context, request.caller, id))
            await follower.next(job.version, over, wait);
        } catch (error) {
          if (!over.aborted) throw error;
        } finally {
          follower.stop();
        }
      }
      return { ...(await statusOf(job)), result: keptResult(job) } as never;
    },
  );

  app.post(
    "/v1/jobs/:id/cancel",
    {
      schema: {
        summary: "Ask for a job's end",
        params: jobParams,
        body: z.strictObject({ reason: z.string().max(1_000).optional() }).nullish(),
        response: { 200: jobWire, ...writeProblem },
      },
    },
    async (request) => {
      demandScope(request.caller, "run");
      const { _id: id } = await jobOf(context, request.caller, request.params.id);
      const { reason } = request.body ?? {};
      return await jobHandle(context, id).cancel(reason === undefined ? {} : { reason });
    },
  );

  app.post(
    "/v1/jobs/:id/retry",
    {
      schema: {
        summary: "Enqueue an ended job's request once more",
        params: jobParams,
        body: requestBodies.retry.nullish(),
        response: { 202: jobWire, ...writeProblem },
      },
    },
    async (request, reply) => {
      demandScope(request.caller, "run");
      const { _id: id } = await jobOf(context, request.caller, request.params.id);
      const { env, stdin } = request.body ?? {};
      const input = stdin === undefined ? {} : { stdin: stdinBytes(stdin) };
      const again = await jobHandle({ ...context, by: request.caller }, id).retry({ ...(env && { env }), ...input });
      reply.code(202).header("location", `/v1/jobs/${again.id}`);
      return await again.status();
    },
  );

  app.put(
    "/v1/jobs/:id/stdin",
    {
      config: { endless: true },
      schema: {
        summary: "Write a command's standard input, of any length, while it runs",
        description:
          "For an exec that was enqueued with `stdin: { stream: true }`. The body's end is the input's; cut off before, the job is cancelled.",
        params: jobParams,
        consumes: ["application/octet-stream"],
        response: { 204: z.null(), ...writeProblem },
      },
    },
    async (request, reply) => {
      demandScope(request.caller, "run");
      const job = await jobOf(context, request.caller, request.params.id);
      if (!(await store.jobs.takeInput(job._id)))
        throw new ApiError(
          "conflict",
          `job ${job._id} waits for no standard input: it was not enqueued with a stream, has ended, or another request writes it`,
        );
      allowedSignal(store, request, reply); // ends the body with the access
      await context.feeds.start(job._id, request.body as Readable);
      return reply.code(204).send(null);
    },
  );

  app.post(
    "/v1/jobs/:id/signal",
    {
      schema: {
        summary: "Send a running exec's command a signal",
        params: jobParams,
        body: z.strictObject({ signal: z.enum(signalNames) }),
        response: { 200: z.object({ answer: z.enum(signalAnswers) }), ...writeProblem },
      },
    },
    async (request) => {
      demandScope(request.caller, "run");
      const { _id: id } = await jobOf(context, request.caller, request.params.id);
      return { answer: await jobHandle(context, id).signal(request.body.signal) };
    },
  );
}
