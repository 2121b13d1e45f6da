import { setTimeout as delay } from "node:timers/promises";
import { isTerminal, jobWire, jobWithResultWire, type ExecRecord, type Kind, type SignalAnswer } from "@podq/jobs";
import type { PodRecord } from "@podq/store";
import { PodqError } from "../errors.ts";
import type { InputStream } from "../feed.ts";
import type { Job, RetryOptions } from "../job.ts";
import type { OutputOptions, OutputPiece } from "../output.ts";
import { JobError, OutputBytes, type ResultOf } from "../result.ts";
import type { JobStatus } from "../status.ts";
import { eventsOf } from "./events.ts";
import type { Transport, Value } from "./transport.ts";

type Found = JobStatus & { result: unknown };

const waitS = 30;
const pauseMs = 500;

/** The handle of a job over HTTP. */
export function httpJob<K extends Kind>(transport: Transport, id: string): Job<K> {
  const path = `/v1/jobs/${encodeURIComponent(id)}`;
  const read = async (query: Record<string, Value>, signal?: AbortSignal): Promise<Found> =>
    jobWithResultWire.parse(await transport.json(path, { query, signal }));
  const status = async (signal?: AbortSignal): Promise<JobStatus> => jobWire.parse(await transport.json(path, { signal }));

  const follow = async (listen: (status: JobStatus) => void, signal: AbortSignal): Promise<void> => {
    for (let seen = 0; ; await delay(Math.random() * pauseMs, undefined, { signal })) {
      const over = new AbortController();
      try {
        const headers: Record<string, string> = seen === 0 ? {} : { "last-event-id": String(seen) };
        const answer = await transport.open(`${path}/events`, { headers, signal: AbortSignal.any([signal, over.signal]) });
        if (answer.status === 204) return;
        for await (const job of statusesOf(answer.body)) {
          signal.throwIfAborted();
          if (job.version > seen) listen(job);
          seen = job.version;
          if (isTerminal(job.state)) return;
        }
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof PodqError ? error.code !== "unavailable" : !isCut(error)) throw error;
      } finally {
        over.abort();
      }
    }
  };

  return {
    id,
    status: async () => status(),
    async result({ timeoutMs, signal } = {}) {
      const signals = [signal, timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs)].filter((one) => one !== undefined);
      const all = signals.length === 0 ? undefined : AbortSignal.any(signals);
      for (;;) {
        const job = await read({ wait: `${waitS}s` }, all);
        if (isTerminal(job.state)) return (await resultOf(transport, path, job)) as ResultOf<K>;
      }
    },
    subscribe(listen, { onError } = {}) {
      const stop = new AbortController();
      const done = follow(listen, stop.signal).catch((error: unknown) => {
        if (stop.signal.aborted) return;
        if (onError === undefined) throw error;
        onError(error);
      });
      return { stop: () => stop.abort(), done };
    },
    output: (options) => readOutput(transport, path, options),
    discardOutput: async () => void (await transport.json(`${path}/output`, { method: "DELETE" })),
    cancel: async ({ reason } = {}) =>
      jobWire.parse(await transport.json(`${path}/cancel`, { method: "POST", body: reason === undefined ? {} : { reason } })),
    async signal(signal) {
      const { answer } = (await transport.json(`${path}/signal`, { method: "POST", body: { signal } })) as { answer: SignalAnswer };
      return answer;
    },
    async retry({ env, stdin }: RetryOptions = {}) {
      const body = { ...(env && { env }), ...(stdin !== undefined && { stdin: inputOf(stdin) }) };
      const again = jobWire.parse(await transport.json(`${path}/retry`, { method: "POST", body }));
      if (isStream(stdin)) feed(transport, again.id, stdin);
      return httpJob<K>(transport, again.id);
    },
  };
}

/** Standard input as a request's body has it. */
export function inputOf(stdin: string | Uint8Array | InputStream): string | { base64: string } | { stream: true } {
  if (typeof stdin === "string") return stdin;
  return stdin instanceof Uint8Array ? { base64: Buffer.from(stdin).toString("base64") } : { stream: true };
}

/** Whether it is a stream that has to be sent beside the request. */
export function isStream(stdin: string | Uint8Array | InputStream | undefined): stdin is InputStream {
  return typeof stdin === "object" && !(stdin instanceof Uint8Array);
}

/** Begins to send a stream to a job, in the background. What goes wrong ends the job, and its result says so. */
export function feed(transport: Transport, id: string, stdin: InputStream): void {
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of stdin) yield Buffer.from(piece as Uint8Array);
  };
  transport.open(`/v1/jobs/${encodeURIComponent(id)}/stdin`, { method: "PUT", body: bytes() }).catch(async (error: unknown) => {
    const reason = `its standard input failed: ${error instanceof Error ? error.message : String(error)}`;
    await httpJob(transport, id)
      .cancel({ reason })
      .catch(() => undefined); // then its worker finds that nobody writes any more
  });
}

// A snapshot is the record; of changes that come together, the last one has it.
async function* statusesOf(body: AsyncIterable<Uint8Array> | null): AsyncGenerator<JobStatus> {
  for await (const { event, data } of eventsOf(body)) {
    const told = JSON.parse(data) as { record?: unknown };
    const record = event === "snapshot" ? told : told.record;
    if (record !== undefined) yield jobWire.parse(record);
  }
}

// What fetch throws for a stream that broke off. A listener's own error is none of these.
function isCut(error: unknown): boolean {
  return error instanceof TypeError && error.cause !== undefined;
}

// Goes on behind the last byte when the way is cut.
async function* readOutput(transport: Transport, path: string, options: OutputOptions = {}): AsyncGenerator<OutputPiece> {
  const { from = {}, follow = true, signal } = options;
  const next = { stdout: from.stdout ?? 0, stderr: from.stderr ?? 0 };
  for (;;) {
    const over = new AbortController();
    const both = AbortSignal.any([over.signal, ...(signal ? [signal] : [])]);
    try {
      const { body } = await transport.open(`${path}/output`, { query: { ...next, follow }, signal: both });
      for await (const line of linesOf(body)) {
        const piece = JSON.parse(line) as Omit<OutputPiece, "data"> & { data: string };
        const data = Buffer.from(piece.data, "base64");
        if (piece.restarted) next.stdout = next.stderr = 0;
        next[piece.stream] = piece.offset + data.byteLength;
        yield { ...piece, data };
      }
      return;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof PodqError) throw error;
      await delay(pauseMs, undefined, { signal });
    } finally {
      over.abort();
    }
  }
}

async function* linesOf(body: AsyncIterable<Uint8Array> | null): AsyncGenerator<string> {
  const parts: Buffer[] = [];
  for await (const chunk of body ?? []) {
    let rest = Buffer.from(chunk);
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      yield Buffer.concat([...parts.splice(0), rest.subarray(0, end)]).toString();
      rest = rest.subarray(end + 1);
    }
    parts.push(rest);
  }
  if (parts.some(({ byteLength }) => byteLength > 0)) throw new TypeError("the output was cut off in the middle of a line");
}

async function resultOf(transport: Transport, path: string, job: Found): Promise<ResultOf<Kind>> {
  if (job.kind !== "exec") {
    if (job.state !== "succeeded") throw new JobError(job, null);
    return job.result as PodRecord | null;
  }
  const record = job.result as ExecRecord | null;
  if (record === null) throw new JobError(job, null);
  const bytes = async (stream: "stdout" | "stderr", count: number): Promise<OutputBytes> =>
    count === 0 ? new OutputBytes() : new OutputBytes(await (await transport.open(`${path}/output`, { query: { stream } })).arrayBuffer());
  const [stdout, stderr] = await Promise.all([bytes("stdout", record.stdoutBytes), bytes("stderr", record.stderrBytes)]);
  const { exitCode, startedAt, endedAt } = record;
  if (job.state !== "succeeded" || exitCode === null || startedAt === null || endedAt === null)
    throw new JobError(job, { ...record, stdout, stderr });
  return { ...record, exitCode, stdout, stderr, startedAt, endedAt, durationMs: endedAt.getTime() - startedAt.getTime() };
}
