import { isTerminal } from "@podq/jobs";
import type { Listener } from "@podq/queue";
import type { JobDocument, Store, Stream } from "@podq/store";
import { readError } from "./errors.ts";
import { notFound } from "./result.ts";
import { watchJob } from "./watch.ts";

/** A piece of a command's output. */
export type OutputPiece = {
  stream: Stream;
  /** Of its first byte in the stream. */
  offset: number;
  data: Buffer;
  /** Bytes before this piece that were not kept, as offsets: the output was larger than the job's maxOutputBytes. */
  gap?: { from: number; to: number };
  /** A `retryable` command was started anew: what came before is void, offsets begin at 0 again. Such a piece is empty. */
  restarted?: true;
};

/** Options of reading output. */
export type OutputOptions = {
  /** Byte offsets to begin at. Default 0. */
  from?: { stdout?: number; stderr?: number };
  /** Go on until the job has ended. Default true; false: what is there now. */
  follow?: boolean;
  signal?: AbortSignal;
};

const streams = ["stdout", "stderr"] as const;
const readBytes = 1_048_576;

/** Reads a job's output, each stream in order, and follows it live until the job has ended. Throws PodqError `not-found`, `unavailable`. */
export async function* readOutput(
  store: Store,
  listener: Listener,
  jobId: string,
  options: OutputOptions = {},
): AsyncGenerator<OutputPiece> {
  const { from = {}, follow = true, signal } = options;
  const next: Record<Stream, number> = { stdout: from.stdout ?? 0, stderr: from.stderr ?? 0 };
  let run: number | undefined;
  const watch = await watchJob(listener, jobId);
  try {
    for (;;) {
      const job: JobDocument | null = await store.jobs.get(jobId);
      if (job === null) throw notFound(jobId);
      if (run !== undefined && job.run !== run) {
        next.stdout = next.stderr = 0;
        yield { stream: "stdout", offset: 0, data: Buffer.alloc(0), restarted: true };
      }
      run = job.run;
      let read = 0;
      for (const stream of streams) {
        for (const piece of await store.output.read(jobId, run, stream, next[stream], readBytes)) {
          const expected = next[stream];
          next[stream] = piece.offset + piece.data.byteLength;
          read += piece.data.byteLength;
          yield piece.offset > expected ? { ...piece, gap: { from: expected, to: piece.offset } } : piece;
        }
      }
      if (read > 0) continue;
      if (!follow || isTerminal(job.state)) return;
      await watch.next(signal);
    }
  } catch (error) {
    throw readError(error);
  } finally {
    watch.stop();
  }
}
