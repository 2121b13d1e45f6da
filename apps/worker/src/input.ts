import { inputNudges, watchJob, type Line } from "@podq/client/line";
import type { LiveInput } from "@podq/kube";
import type { Listener } from "@podq/queue";
import type { JobDocument, Store } from "@podq/store";
import type { Logger } from "pino";

/** Where a job's standard input comes from while its command runs. */
export type InputReader = {
  source: LiveInput;
  /** Aborts when whoever writes it has not been heard of for too long, and has not ended it. */
  silent: AbortSignal;
  stop: () => void;
};

/** What reading inputs takes. `silenceMs`: how long a writer may not be heard of. */
export type InputMeans = { store: Pick<Store, "jobs" | "input">; line: Pick<Line, "nudgeInput">; listener: Listener; silenceMs: number };

const removedAtOnce = 2_097_152;

/** Reads a job's standard input as it is written, and removes what the pod has. */
export async function openInput({ store, line, listener, silenceMs }: InputMeans, job: JobDocument, log: Logger): Promise<InputReader> {
  const watch = await watchJob(listener, inputNudges(job._id));
  const silent = new AbortController();
  // A command that may be started anew needs it all again.
  const kept = "retryable" in job.params && job.params.retryable;
  let piece: { offset: number; data: Buffer } | null = null;
  let takenTo = 0;
  let removedTo = 0;
  let removing = false;

  const remove = async (): Promise<void> => {
    removing = true;
    try {
      while (takenTo - removedTo >= removedAtOnce) {
        const to = takenTo;
        await store.input.removeBefore(job._id, to);
        removedTo = to;
        await line.nudgeInput(job._id);
      }
    } catch (error) {
      log.warn({ err: error }, "standard input that was fed could not be removed");
    } finally {
      removing = false;
    }
  };

  // By this worker's own clock: that the count went up is all it needs to know.
  let beat = job.stdinBeat;
  let heardAt = performance.now();
  const listen = async (): Promise<void> => {
    const now = (await store.jobs.get(job._id))?.stdinBeat ?? null;
    if (now !== beat || (await store.input.isWhole(job._id))) heardAt = performance.now();
    beat = now;
    const silentMs = performance.now() - heardAt;
    if (silentMs >= silenceMs)
      silent.abort(new Error(`its caller was not heard of for ${Math.round(silentMs / 1000)} s, before the end of its standard input`));
  };
  const timer = setInterval(() => {
    void listen().catch(() => (heardAt = performance.now())); // who cannot listen cannot tell
  }, silenceMs / 4);

  return {
    source: {
      async read(offset, maxBytes, signal) {
        for (; ; await watch.next(signal)) {
          if (piece === null || offset < piece.offset || offset >= piece.offset + piece.data.byteLength)
            piece = await store.input.pieceAt(job._id, offset);
          if (piece === null) continue;
          const { data, offset: at } = piece;
          heardAt = performance.now();
          return data.byteLength === 0 ? null : data.subarray(offset - at, offset - at + maxBytes);
        }
      },
      taken(offset) {
        takenTo = Math.max(takenTo, offset);
        if (!kept && !removing) void remove();
      },
    },
    silent: silent.signal,
    stop() {
      clearInterval(timer);
      watch.stop();
    },
  };
}
