import type { Line } from "@podq/client/line";
import type { Chunk, Store, Stream } from "@podq/store";

/** Saves a command's output as it comes: in MongoDB first, then told. */
export type OutputWriter = {
  /** Bytes of each stream that are stored: where the output goes on. */
  readonly stored: Record<Stream, number>;
  /** Stores pieces, in the order of their offsets. Rejects if the attempt turns out to be over. */
  write: (pieces: readonly Chunk[]) => Promise<void>;
};

const chunkBytes = 1_048_576;

/** A writer that goes on where the stored output of this run ends. `fresh`: nothing can be stored yet, so that is not looked up. */
export async function openOutput(
  store: Pick<Store, "output">,
  line: Pick<Line, "nudge">,
  job: { id: string; run: number },
  fresh: boolean,
): Promise<OutputWriter> {
  const sizes = async (): Promise<Record<Stream, number>> => {
    const [stdout, stderr] = await Promise.all([
      store.output.size(job.id, job.run, "stdout"),
      store.output.size(job.id, job.run, "stderr"),
    ]);
    return { stdout, stderr };
  };
  const stored = fresh ? { stdout: 0, stderr: 0 } : await sizes();

  return {
    stored,
    async write(pieces) {
      // An earlier attempt that does not know yet that it is over may store the same bytes: then go on behind them. All begin at
      // the end of what is stored, so that two who are there at once begin at the same offset, and one is refused.
      let rest = pieces.flatMap(cut).flatMap((piece) => behind(piece, stored[piece.stream]));
      while (rest.length > 0 && !(await store.output.append(job.id, job.run, rest))) {
        Object.assign(stored, await sizes());
        rest = rest.flatMap((piece) => behind(piece, stored[piece.stream]));
      }
      for (const { stream, offset, data } of pieces) stored[stream] = Math.max(stored[stream], offset + data.byteLength);
      void line.nudge(job.id); // never rejects; the next piece need not wait for it
    },
  };
}

function cut(piece: Chunk): Chunk[] {
  const parts: Chunk[] = [];
  for (let at = 0; at < piece.data.byteLength; at += chunkBytes)
    parts.push({ stream: piece.stream, offset: piece.offset + at, data: piece.data.subarray(at, at + chunkBytes) });
  return parts;
}

function behind(piece: Chunk, offset: number): Chunk[] {
  const skip = Math.max(0, offset - piece.offset);
  return skip >= piece.data.byteLength ? [] : [{ ...piece, offset: piece.offset + skip, data: piece.data.subarray(skip) }];
}
