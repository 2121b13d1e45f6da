import type { Slice, Summary } from "./frames.ts";
import type { Piece } from "./outcome.ts";

type Stream = "stdout" | "stderr";
type Offsets = { stdout: number; stderr: number };

/**
 * How far the output of one run has come: what was asked for, what arrived, what the caller took. Slices may overlap, when a
 * file grew between two questions; no byte is handed on twice, and none is skipped but the gap of a capped stream.
 */
export class Output {
  /** Told when the caller has taken something. */
  onTaken: () => void = () => undefined;
  readonly #onOutput: (pieces: Piece[]) => Promise<void>;
  readonly #arrived: Offsets;
  readonly #asked: Offsets;
  #taking: Promise<void> = Promise.resolve();
  #held = 0;
  #failure: { error: unknown } | undefined;

  constructor(from: Offsets, onOutput: (pieces: Piece[]) => Promise<void>) {
    this.#arrived = { ...from };
    this.#asked = { ...from };
    this.#onOutput = onOutput;
  }

  /** Where the next question begins. */
  get asked(): Offsets {
    return this.#asked;
  }

  /** Bytes that have arrived, as offsets. */
  get arrived(): Readonly<Offsets> {
    return this.#arrived;
  }

  /** Bytes that the caller has not taken yet. */
  get held(): number {
    return this.#held;
  }

  /** A new session: what was asked of the old one will not come. */
  forgetAsked(): void {
    Object.assign(this.#asked, this.#arrived);
  }

  /** A question of up to `maxBytes` a stream goes out; `known` is what is there at least. */
  ask(known: Offsets, maxBytes: number): void {
    for (const stream of ["stdout", "stderr"] as const)
      this.#asked[stream] += Math.min(maxBytes, Math.max(0, known[stream] - this.#asked[stream]));
  }

  /** Hands on what is new in these slices. */
  take(slices: { stdout: Slice; stderr: Slice }): void {
    const pieces: Piece[] = [];
    for (const stream of ["stdout", "stderr"] as const) this.#unwrap(stream, slices[stream], pieces);
    if (pieces.length > 0) this.#give(pieces);
  }

  /** Hands on the kept end of a capped stream. */
  takeTail(stream: Stream, slice: Slice, total: number): void {
    const start = Math.max(total - slice.length, this.#arrived[stream]);
    this.#arrived[stream] = start;
    const pieces: Piece[] = [];
    this.#unwrap(stream, { ...slice, offset: total - slice.length }, pieces);
    if (pieces.length > 0) this.#give(pieces);
  }

  /** Resolves when the caller has taken everything; rejects with what he threw. */
  async flushed(): Promise<void> {
    await this.#taking;
    if (this.#failure) throw this.#failure.error;
  }

  /** What the caller threw when he was given output. */
  get failure(): { error: unknown } | undefined {
    return this.#failure;
  }

  /** Whether the kept beginning of both streams has arrived. */
  hasAll({ stdout, stderr }: Summary): boolean {
    return this.#arrived.stdout >= stdout.kept && this.#arrived.stderr >= stderr.kept;
  }

  #unwrap(stream: Stream, slice: Slice, pieces: Piece[]): void {
    let offset = slice.offset;
    for (const piece of slice.pieces) {
      const known = Math.max(0, this.#arrived[stream] - offset);
      if (known < piece.length) {
        const data = piece.subarray(known);
        pieces.push({ stream, offset: offset + known, data });
        this.#arrived[stream] = offset + piece.length;
      }
      offset += piece.length;
    }
    this.#asked[stream] = Math.max(this.#asked[stream], this.#arrived[stream]);
  }

  #give(pieces: Piece[]): void {
    const size = pieces.reduce((sum, { data }) => sum + data.length, 0);
    this.#held += size;
    this.#taking = this.#taking
      .then(() => (this.#failure ? undefined : this.#onOutput(pieces)))
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#held -= size;
        this.onTaken();
      });
  }
}
