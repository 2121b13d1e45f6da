import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { toJobStatus, watchJob, type Context } from "@podq/client/handles";
import { isTerminal } from "@podq/jobs";
import { toPodRecord } from "@podq/store";
import { z } from "zod";
import { demandOwner } from "../access.ts";
import { ApiError } from "../problem.ts";
import { addressOf, anyProblem, jobParams, namedPodParams, podParams } from "../schemas.ts";
import type { App } from "../server.ts";
import { closed, jobOf } from "./jobs.ts";

const podPollMs = 1_000;
const pingMs = 15_000;

/** A record as its events are made of: `version` is the id of the newest one. */
type Followed = { version: number; history: readonly { version: number }[]; snapshot: object; over: boolean };

const told = z.object({ id: z.string().regex(/^\d+$/), event: z.enum(["snapshot", "change"]), data: z.string() });
const ok = { description: "Server-sent events, each of this form; `data` is JSON", content: { "text/event-stream": { schema: told } } };
const response = { 200: ok, 204: z.null().meta({ description: "It has ended, and the last event was seen" }), ...anyProblem };
const headers = z.object({
  "last-event-id": z
    .string()
    .regex(/^\d{1,15}$/, { error: "must be the id of an event" })
    .optional(),
});

/** `.../events`: a record's changes as server-sent events. Ids are its versions, so whoever reconnects with the last one he saw misses and repeats nothing. */
export function addEventRoutes(app: App, context: Context): void {
  const { store, listener } = context;

  app.get(
    "/v1/jobs/:id/events",
    { schema: { summary: "Follow a job to its end", params: jobParams, headers, response } },
    async (request, reply) => {
      const { id } = request.params;
      const seen = lastSeen(request.headers);
      const first = await jobOf(context, request.caller, id);
      if (isTerminal(first.state) && seen !== undefined && seen >= first.version) return reply.code(204).send(null) as never;
      const gone = closed(reply);
      const watch = await watchJob(listener, id);
      const read = async (): Promise<Followed> => {
        const job = await jobOf(context, request.caller, id);
        return { version: job.version, history: job.history, snapshot: toJobStatus(job, null), over: isTerminal(job.state) };
      };
      reply.type("text/event-stream").header("cache-control", "no-store");
      return reply.send(stream(follow(read, async () => watch.next(gone), watch.stop, seen, gone)) as never) as never;
    },
  );

  for (const [path, params] of [
    ["/v1/pods/:owner/:id/events", podParams],
    ["/v1/pods/:owner/:id/:name/events", namedPodParams],
  ] as const)
    app.get(path, { schema: { summary: "Follow a pod", params, headers, response } }, async (request, reply) => {
      const { owner, key } = addressOf(request.params);
      demandOwner(request.caller, owner);
      const read = async (): Promise<Followed> => {
        const pod = await store.pods.get(key);
        if (pod === null) throw new ApiError("not-found", `there is no pod ${key}`);
        return { version: pod.version, history: pod.history, snapshot: toPodRecord(pod), over: false };
      };
      await read();
      const gone = closed(reply);
      const next = async (): Promise<void> => delay(podPollMs, undefined, { signal: gone });
      reply.type("text/event-stream").header("cache-control", "no-store");
      return reply.send(stream(follow(read, next, () => undefined, lastSeen(request.headers), gone)) as never) as never;
    });
}

function stream(events: AsyncIterable<string>): Readable {
  return Readable.from(events, { objectMode: false });
}

function lastSeen(headers: { "last-event-id"?: string | undefined }): number | undefined {
  const text = headers["last-event-id"];
  return text === undefined ? undefined : Number(text);
}

// What is missing is told as it happened, as far as the history goes back; else a snapshot comes first.
async function* follow(
  read: () => Promise<Followed>,
  next: () => Promise<void>,
  stop: () => void,
  last: number | undefined,
  gone: AbortSignal,
): AsyncGenerator<string> {
  let seen = last;
  let saidAt = performance.now();
  try {
    for (;;) {
      const { version, history, snapshot, over } = await read();
      const oldest = history[0]?.version ?? version;
      if (seen === undefined || oldest > seen + 1) {
        yield event(version, "snapshot", snapshot);
        [seen, saidAt] = [version, performance.now()];
      }
      for (const change of history) {
        if (change.version <= seen) continue;
        yield event(change.version, "change", change);
        [seen, saidAt] = [change.version, performance.now()];
      }
      if (over) return;
      if (performance.now() - saidAt > pingMs) {
        yield ": still here\n\n";
        saidAt = performance.now();
      }
      await next();
    }
  } catch (error) {
    if (!gone.aborted) throw error;
  } finally {
    stop();
  }
}

function event(id: number, name: string, data: object): string {
  return `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
