import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { isTerminal, type JobRequest, type TemplateVersion } from "@podq/jobs";
import { isUnreachable, type JobDocument, type Store } from "@podq/store";
import { callbackOf, checkCallback, type Asker } from "./callback.ts";
import type { Line } from "./dispatch.ts";
import { asPodqError, PodqError } from "./errors.ts";
import { pinnedTemplate } from "./templates.ts";
import { traced } from "./trace.ts";

const patienceMs = 15_000;
const pauseMs = 250;

// With more than a few at once, inserts wait for a connection, and workers would come to find nothing.
const fewUnderway = 8;
let underway = 0;

type Options = { id?: string; retryOf?: string; by?: Asker | undefined; signal?: AbortSignal };

/**
 * Accepts a request: when this returns, the job is kept, whether Redis lives or not. While MongoDB is away the insert is
 * repeated under the same id for 15 s. Throws PodqError; one of `unavailable` carries the id of a job that may have been kept.
 */
export async function enqueue(
  store: Store,
  line: Line,
  request: JobRequest,
  { id = randomUUID(), ...options }: Options = {},
): Promise<JobDocument> {
  return traced(request, id, async (origin) => accepted(store, line, request, { id, ...options, ...origin }));
}

async function accepted(
  store: Store,
  line: Line,
  request: JobRequest,
  { id, signal, by, ...origin }: Options & { id: string; traceparent?: string },
): Promise<JobDocument> {
  signal?.throwIfAborted();
  const callback = callbackOf(request, by);
  const giveUpAt = Date.now() + patienceMs;
  let announced: Promise<void> | undefined;
  const announce = (): void => {
    if (underway <= fewUnderway && request.idempotencyKey === null) announced ??= line.announce(id, request);
  };
  let template: TemplateVersion | undefined;
  for (let tries = 1; ; tries++) {
    try {
      underway++;
      if (callback !== null) await checkCallback(store, callback.url);
      template ??= await pinnedTemplate(store, request);
      if (request.stdin instanceof Uint8Array) await store.input.put(id, request.stdin);
      const { job, behind } = await store.jobs.insert(id, { ...request, callback }, { ...origin, ...(template && { template }) }, announce);
      if (announced !== undefined) await announced;
      if (announced === undefined || tries > 1) await (isTerminal(job.state) ? undefined : line.dispatch(job, behind));
      return job;
    } catch (error) {
      if (!isUnreachable(error)) throw asPodqError(error, id);
      if (Date.now() >= giveUpAt || signal?.aborted) throw unknownOutcome(error, id);
      await delay(pauseMs);
    } finally {
      underway--;
    }
  }
}

function unknownOutcome(error: unknown, jobId: string): PodqError {
  const reason = error instanceof Error ? error.message : String(error);
  return new PodqError(
    "unavailable",
    `MongoDB did not confirm job ${jobId}: ${reason}; ask for it with podq.job("${jobId}") before trying again`,
    {
      cause: error,
      jobId,
    },
  );
}
