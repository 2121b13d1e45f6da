import { Readable } from "node:stream";
import { toJobStatus, type Context } from "@podq/client/handles";
import { isTerminal } from "@podq/jobs";
import { toPodRecord } from "@podq/store";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { demandOwner } from "../access.ts";
import type { createFollowers, Follower } from "../followers.ts";
import { ApiError } from "../problem.ts";
import { addressOf, anyProblem, jobParams, namedPodParams, podParams } from "../schemas.ts";
import type { App } from "../server.ts";
import { allowedSignal } from "./gone.ts";
import { jobOf } from "./jobs.ts";

const pingMs = 15_000;

/** A record as its events are made of: `version` is the id of the newest one, `show` what callers see of it. */
type Followed = { version: number; history: readonly { version: number }[]; show: () => object | Promise<object>; over: boolean };

const told = z.object({ id: z.string().regex(/^\d+$/), event: z.enum(["snapshot", "change"]), data: z.string() });
const ok = { description: "Server-sent events, each of this form; `data` is JSON", content: { "text/event-stream": { schema: told } } };
const response = { 200: ok, 204: z.null().meta({ description: "It has ended, and the last event was seen" }), ...anyProblem };
const headers = z.object({
  "last-event-id": z
    .string()
    .regex(/^\d{1,15}$/, { error: "must be the id of an event" })
    .optional(),
});

/**
 * `.../events`: a record's changes as server-sent events; the newest has the record itself. Ids are its versions, so whoever
 * reconnects with the last one he saw misses and repeats nothing.
 */
export function addEventRoutes(app: App, context: Context, followers: ReturnType<typeof createFollowers>): void {
  const { store } = context;

  app.get(
    "/v1/jobs/:id/events",
    { schema: { summary: "Follow a job to its end", params: jobParams, headers, response } },
    async (request, reply) => {
      const { id } = request.params;
      const gone = allowedSignal(store, request, reply);
      const seen = lastSeen(request.headers);
      const first = await jobOf(context, request.caller, id);
      if (isTerminal(first.state) && seen !== undefined && seen >= first.version) return reply.code(204).send(null) as never;
      const read = async (): Promise<Followed> => {
        const job = await jobOf(context, request.caller, id);
        const { version, history, state } = job;
        const show = async () => toJobStatus(job, state === "queued" ? await store.jobs.ahead(job) : null);
        return { version, history, show, over: isTerminal(state) };
      };
      return answer(
        reply,
        follow(async () => followers.jobs.follow(id), read, seen, gone),
      ) as never;
    },
  );

  for (const [path, params] of [
    ["/v1/pods/:owner/:id/events", podParams],
    ["/v1/pods/:owner/:id/:name/events", namedPodParams],
  ] as const)
    app.get(path, { schema: { summary: "Follow a pod", params, headers, response } }, async (request, reply) => {
      const { owner, key } = addressOf(request.params);
      demandOwner(request.caller, owner);
      const gone = allowedSignal(store, request, reply);
      const read = async (): Promise<Followed> => {
        const pod = await store.pods.get(key);
        if (pod === null) throw new ApiError("not-found", `there is no pod ${key}`);
        return {
          version: pod.version,
          history: pod.history,
          show: async () => toPodRecord(pod, await store.sightings.latest()),
          over: false,
        };
      };
      await read();
      return answer(
        reply,
        follow(async () => followers.pods.follow(key), read, lastSeen(request.headers), gone),
      ) as never;
    });
}

function answer(reply: FastifyReply, events: AsyncIterable<string>): unknown {
  reply.type("text/event-stream").header("cache-control", "no-store");
  return reply.send(Readable.from(events, { objectMode: false }));
}

function lastSeen(headers: { "last-event-id"?: string | undefined }): number | undefined {
  const text = headers["last-event-id"];
  return text === undefined ? undefined : Number(text);
}

// What is missing is told as it happened, as far as the history goes back; else a snapshot comes first. It begins to follow by itself,
// since what never starts, for a caller who has gone, does not get to its end either.
async function* follow(
  begin: () => Promise<Follower>,
  read: () => Promise<Followed>,
  last: number | undefined,
  gone: AbortSignal,
): AsyncGenerator<string> {
  let seen = last;
  const follower = await begin();
  try {
    if (seen !== undefined) yield ": here\n\n"; // the head goes with it, so that a reader knows that he is connected
    for (;;) {
      gone.throwIfAborted();
      const { version, history, show, over } = await read();
      const missed = history.filter((change) => change.version > (seen ?? version));
      const oldest = history[0]?.version ?? version;
      if (seen === undefined || oldest > seen + 1) yield event(version, "snapshot", await show());
      else
        for (const change of missed)
          yield event(change.version, "change", change.version === version ? { ...change, record: await show() } : change);
      seen = Math.max(seen ?? version, version);
      if (over) return;
      while (!(await follower.next(seen, gone, pingMs))) yield ": still here\n\n";
    }
  } catch (error) {
    if (!gone.aborted) throw error;
  } finally {
    follower.stop();
  }
}

function event(id: number, name: string, data: object): string {
  return `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
