// What the runner says: a line of words, and behind some of them as many raw bytes as the line announces. Everything before the
// greeting is noise; everything after it is protocol, and what does not parse ends the session.

import type { SignalAnswer } from "./outcome.ts";

/** Where a run stands, by its journal. */
type RunState =
  | { name: "none" | "running" | "exited" | "closed" | "tomb" }
  | { name: "error"; why: string } // not started, and never will be
  | { name: "lost"; why: string }; // boot: another container; handler, unstarted: its processes died

/** What the journal says of a run. Times are milliseconds of the pod's uptime. */
export type Summary = {
  exitCode: number | null;
  /** Why podq killed it. */
  why: string | null;
  /** Processes of it that lived on when it ended. */
  left: number;
  /** There may be more that cannot be told from other runs' processes. */
  leftUnverified: boolean;
  startedMs: number;
  endedMs: number;
  /** Bytes kept from the beginning; true totals; bytes kept from the end. */
  stdout: { kept: number; total: number; tail: number };
  stderr: { kept: number; total: number; tail: number };
  /** Totals are a lower bound: bytes went by uncounted. */
  atLeast: boolean;
};

type End = Omit<Summary, "stdout" | "stderr" | "atLeast">;

/** Bytes of one stream, in the pieces they arrived in. */
export type Slice = { offset: number; length: number; pieces: Buffer[] };

/** One message of the runner. */
export type Frame =
  | { kind: "ready"; boot: string; uptimeMs: number; kept: boolean; weaker: string[] }
  | { kind: "refused"; why: "nodir" | "nofifo" }
  | { kind: "closed"; id: string; summary: Summary; inline: { stdout: Slice; stderr: Slice } | null }
  | ({ kind: "exited"; id: string; exitCode: number } & Omit<End, "exitCode">)
  | { kind: "state"; id: string; state: RunState; summary: Summary; stdout: Slice; stderr: Slice }
  | { kind: "tail"; id: string; stream: "stdout" | "stderr"; slice: Slice }
  | { kind: "fed"; id: string; fed: number | null; taken: number | null }
  | { kind: "claimed"; id: string }
  | { kind: "error"; id: string; why: string }
  | { kind: "killed"; id: string; what: "never" | "over" | "gone" | "left"; pids: number[] }
  | { kind: "signalled"; id: string; n: number; answer: SignalAnswer }
  | { kind: "pong"; n: number }
  | { kind: "garbage"; line: string };

type Body = { frame: Frame; slices: Slice[] };

const MAX_LINE = 4096;
const MAX_NOISE = 65_536;
const NEWLINE = 0x0a;

/** Takes bytes as they come, gives frames as they are complete. After `garbage` it gives nothing more. */
export class FrameReader {
  readonly #greeting: Buffer;
  #phase: "noise" | "line" | "body" | "broken" = "noise";
  #rest: Buffer = Buffer.alloc(0);
  #body: Body = { frame: { kind: "garbage", line: "" }, slices: [] };

  constructor(nonce: string) {
    this.#greeting = Buffer.from(`podq1 ${nonce} `);
  }

  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let at = 0;
    while (at < chunk.length && this.#phase !== "broken") {
      if (this.#phase === "body") at = this.#fill(chunk, at, frames);
      else at = this.#phase === "noise" ? this.#skip(chunk, at) : this.#readLine(chunk, at, frames);
    }
    return frames;
  }

  // The greeting may be cut anywhere: its possible beginning is kept.
  #skip(chunk: Buffer, at: number): number {
    const held = this.#rest.length;
    const all = Buffer.concat([this.#rest, chunk.subarray(at)]);
    const found = all.indexOf(this.#greeting);
    if (found < 0) {
      this.#rest = all.subarray(Math.max(0, all.length - Math.min(MAX_NOISE, this.#greeting.length - 1)));
      return chunk.length;
    }
    this.#phase = "line";
    this.#rest = Buffer.alloc(0);
    return at + found - held + this.#greeting.length;
  }

  #readLine(chunk: Buffer, at: number, frames: Frame[]): number {
    const end = chunk.indexOf(NEWLINE, at);
    const part = chunk.subarray(at, end < 0 ? chunk.length : end);
    if (this.#rest.length + part.length > MAX_LINE) return this.#break(frames, Buffer.concat([this.#rest, part]));
    if (end < 0) {
      this.#rest = Buffer.concat([this.#rest, part]);
      return chunk.length;
    }
    const line = this.#rest.length === 0 ? part : Buffer.concat([this.#rest, part]);
    this.#rest = Buffer.alloc(0);
    const body = parseLine(line.toString("latin1"));
    if (body.frame.kind === "garbage") return this.#break(frames, line);
    this.#body = body;
    this.#phase = "body";
    this.#finish(frames);
    return end + 1;
  }

  #fill(chunk: Buffer, from: number, frames: Frame[]): number {
    let at = from;
    for (const slice of this.#body.slices) {
      const missing = slice.length - slice.pieces.reduce((sum, piece) => sum + piece.length, 0);
      if (missing === 0) continue;
      const piece = chunk.subarray(at, at + missing);
      if (piece.length > 0) slice.pieces.push(piece);
      at += piece.length;
      if (piece.length < missing) return at;
    }
    this.#finish(frames);
    return at;
  }

  #finish(frames: Frame[]): void {
    const open = this.#body.slices.some((slice) => slice.length > slice.pieces.reduce((sum, piece) => sum + piece.length, 0));
    if (open) return;
    frames.push(this.#body.frame);
    this.#phase = "line";
  }

  #break(frames: Frame[], line: Buffer): number {
    this.#phase = "broken";
    frames.push({ kind: "garbage", line: line.toString("latin1").slice(0, 200) });
    return Number.MAX_SAFE_INTEGER;
  }
}

const garbage: Body = { frame: { kind: "garbage", line: "" }, slices: [] };

// Reads words off a line; the first that is not what it should be spoils the line.
class Words {
  readonly #words: string[];
  #at = 0;
  ok = true;

  constructor(line: string) {
    this.#words = line.split(" ");
  }

  word(pattern = /^[A-Za-z0-9._:,=+-]+$/): string {
    const word = this.#words[this.#at++] ?? "";
    if (!pattern.test(word)) this.ok = false;
    return word;
  }

  number(): number {
    const value = Number(this.word(/^\d{1,16}$/));
    if (!Number.isSafeInteger(value)) this.ok = false;
    return value;
  }

  orNull(): string | null {
    const word = this.word();
    return word === "-" ? null : word;
  }

  numberOrNull(): number | null {
    return this.#words[this.#at] === "-" ? (this.word(), null) : this.number();
  }

  get done(): boolean {
    return this.#at >= this.#words.length;
  }
}

function parseLine(line: string): Body {
  const words = new Words(line);
  const body = parseWords(words.word(), words);
  return words.ok && words.done && body ? body : garbage;
}

function parseWords(kind: string, words: Words): Body | undefined {
  switch (kind) {
    case "ready": {
      const frame: Frame = { kind, boot: words.word(), uptimeMs: words.number(), kept: words.number() === 1, weaker: weaker(words.word()) };
      return { frame, slices: [] };
    }
    case "nodir":
    case "nofifo":
      return { frame: { kind: "refused", why: kind }, slices: [] };
    case "Z": {
      const id = words.word();
      const summary = tally(words, readEnd(words));
      const slices = words.number() === 1 ? [slice(0, summary.stdout.kept), slice(0, summary.stderr.kept)] : [];
      const [stdout, stderr] = slices;
      return { frame: { kind: "closed", id, summary, inline: stdout && stderr ? { stdout, stderr } : null }, slices };
    }
    case "X": {
      const id = words.word();
      const { exitCode, ...end } = readEnd(words);
      return exitCode === null ? undefined : { frame: { kind: "exited", id, exitCode, ...end }, slices: [] };
    }
    case "G": {
      const id = words.word();
      const state = parseState(words.word());
      const summary = tally(words, readEnd(words));
      const stdout = slice(words.number(), words.number());
      const stderr = slice(words.number(), words.number());
      return state && { frame: { kind: "state", id, state, summary, stdout, stderr }, slices: [stdout, stderr] };
    }
    case "T": {
      const [id, stream, tail] = [words.word(), words.word(/^[oe]$/), slice(0, words.number())];
      return { frame: { kind: "tail", id, stream: stream === "o" ? "stdout" : "stderr", slice: tail }, slices: [tail] };
    }
    case "I":
      return { frame: { kind: "fed", id: words.word(), fed: words.numberOrNull(), taken: words.numberOrNull() }, slices: [] };
    case "D":
      return { frame: { kind: "claimed", id: words.word() }, slices: [] };
    case "E":
      return { frame: { kind: "error", id: words.word(), why: words.word() }, slices: [] };
    case "K": {
      const [id, what] = [words.word(), words.word(/^(never|over|gone|left)$/)];
      const pids: number[] = [];
      while (!words.done) pids.push(words.number());
      return { frame: { kind: "killed", id, what: what as "never" | "over" | "gone" | "left", pids }, slices: [] };
    }
    case "S": {
      const [id, n, answer] = [words.word(), words.number(), words.word(/^(sent|ignored|too-late|impossible)$/)];
      return { frame: { kind: "signalled", id, n, answer: answer as SignalAnswer }, slices: [] };
    }
    case "P":
      return { frame: { kind: "pong", n: words.number() }, slices: [] };
    default:
      return undefined;
  }
}

function slice(offset: number, length: number): Slice {
  return { offset, length, pieces: [] };
}

function weaker(list: string): string[] {
  return list.split(",").filter((word) => word !== "");
}

function readEnd(words: Words): End {
  const [exitCode, why, left] = [words.numberOrNull(), words.orNull(), words.word(/^\d{1,9}\??$/)];
  const [startedMs, endedMs] = [words.number(), words.number()];
  return { exitCode, why, left: Number.parseInt(left, 10), leftUnverified: left.endsWith("?"), startedMs, endedMs };
}

function tally(words: Words, end: End): Summary {
  const [out, err, outAll, errAll, outTail, errTail] = [
    words.number(),
    words.number(),
    words.number(),
    words.number(),
    words.number(),
    words.number(),
  ];
  const atLeast = words.word(/^[=+]$/) === "+";
  return { ...end, stdout: { kept: out, total: outAll, tail: outTail }, stderr: { kept: err, total: errAll, tail: errTail }, atLeast };
}

function parseState(text: string): RunState | undefined {
  const [name, why = ""] = text.split(":", 2);
  if (name === "error" || name === "lost") return { name, why };
  const plain = (["none", "running", "exited", "closed", "tomb"] as const).find((known) => known === name);
  return plain && { name: plain };
}
