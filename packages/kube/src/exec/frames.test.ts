import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameReader, type Frame, type Slice } from "./frames.ts";

const NONCE = "0123456789abcdef";
const READY = `podq1 ${NONCE} ready 5-aa 1000 1 ,\n`;
const Z = "Z job.1 0 - 0 10 20 3 2 3 2 0 0 = 1\n";

// What a reader says of bytes that come in these pieces, slices joined.
function read(...chunks: (string | Buffer)[]): Frame[] {
  const reader = new FrameReader(NONCE);
  return chunks.flatMap((chunk) => reader.push(Buffer.from(chunk as string, "latin1"))).map(joined);
}
function join(slice: Slice): void {
  slice.pieces = [Buffer.concat(slice.pieces)];
}
function joined(frame: Frame): Frame {
  if (frame.kind === "tail") join(frame.slice);
  if (frame.kind === "state") [frame.stdout, frame.stderr].forEach(join);
  if (frame.kind === "closed" && frame.inline) [frame.inline.stdout, frame.inline.stderr].forEach(join);
  return frame;
}
const slice = (offset: number, text: string): object => ({ offset, length: text.length, pieces: [Buffer.from(text)] });
const summary = { exitCode: 0, why: null, left: 0, leftUnverified: false, startedMs: 10, endedMs: 20, atLeast: false };

const known: [string, string, Frame | object][] = [
  [
    "the end of a run with its output",
    `${Z}abcde`,
    {
      kind: "closed",
      id: "job.1",
      summary: { ...summary, stdout: { kept: 3, total: 3, tail: 0 }, stderr: { kept: 2, total: 2, tail: 0 } },
      inline: { stdout: slice(0, "abc"), stderr: slice(0, "de") },
    },
  ],
  [
    "the end of a run without",
    "Z job.1 143 timeout 2 10 20 512 0 900 0 300 0 + 0\n",
    {
      kind: "closed",
      id: "job.1",
      summary: {
        exitCode: 143,
        why: "timeout",
        left: 2,
        leftUnverified: false,
        startedMs: 10,
        endedMs: 20,
        atLeast: true,
        stdout: { kept: 512, total: 900, tail: 300 },
        stderr: { kept: 0, total: 0, tail: 0 },
      },
      inline: null,
    },
  ],
  [
    "the exit of a command",
    "X job.1 3 cancel 1? 10 20\n",
    { kind: "exited", id: "job.1", exitCode: 3, why: "cancel", left: 1, leftUnverified: true, startedMs: 10, endedMs: 20 },
  ],
  [
    "a state with slices",
    "G job.1 running - - 0 10 0 7 1 7 1 0 0 = 5 2 0 1\nxyz",
    {
      kind: "state",
      id: "job.1",
      state: { name: "running" },
      summary: { ...summary, exitCode: null, endedMs: 0, stdout: { kept: 7, total: 7, tail: 0 }, stderr: { kept: 1, total: 1, tail: 0 } },
      stdout: slice(5, "xy"),
      stderr: slice(0, "z"),
    },
  ],
  ["why a run is lost", "G job.1 lost:boot - - 0 10 0 0 0 0 0 0 0 = 0 0 0 0\n", { kind: "state", state: { name: "lost", why: "boot" } }],
  [
    "why a run did not start",
    "G job.1 error:cwd - - 0 10 0 0 0 0 0 0 0 = 0 0 0 0\n",
    { kind: "state", state: { name: "error", why: "cwd" } },
  ],
  ["a tail", "T job.1 e 4\nlast", { kind: "tail", id: "job.1", stream: "stderr", slice: slice(0, "last") }],
  ["how far input is", "I job.1 4 70\n", { kind: "fed", id: "job.1", fed: 4, taken: 70 }],
  ["that there is no input", "I job.1 - -\n", { kind: "fed", id: "job.1", fed: null, taken: null }],
  ["a claim", "D job.1\n", { kind: "claimed", id: "job.1" }],
  ["a refusal", "E job.1 noclaim\n", { kind: "error", id: "job.1", why: "noclaim" }],
  ["a kill", "K job.1 left 12 13\n", { kind: "killed", id: "job.1", what: "left", pids: [12, 13] }],
  ["a kill without leftovers", "K job.1 gone\n", { kind: "killed", id: "job.1", what: "gone", pids: [] }],
  ["an answer to a signal", "S job.1 2 too-late\n", { kind: "signalled", id: "job.1", n: 2, answer: "too-late" }],
  ["a pong", "P 7\n", { kind: "pong", n: 7 }],
];

describe("a frame", () => {
  it.each(known)("tells %s", (_what, text, frame) => {
    const [ready, told, ...more] = read(READY + text);
    expect(ready).toEqual({ kind: "ready", boot: "5-aa", uptimeMs: 1000, kept: true, weaker: [] });
    expect(told).toMatchObject(frame);
    expect(more).toEqual([]);
  });

  it("tells what the greeting knows", () => {
    expect(read(`podq1 ${NONCE} ready 5-aa 1000 0 ,setsid,journal\n`)).toMatchObject([
      { kind: "ready", kept: false, weaker: ["setsid", "journal"] },
    ]);
    expect(read(`podq1 ${NONCE} nodir\n`)).toEqual([{ kind: "refused", why: "nodir" }]);
  });

  it("trap: is the same however its bytes are cut up, and whatever output looks like", () => {
    const words = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(READY, Z, "P 1\n", "\n", "G job.1 ", `podq1 ${NONCE} `));
    const output = fc.array(words, { maxLength: 4 }).map((parts) => Buffer.from(parts.join("")));
    const state = fc
      .tuple(output, output)
      .map(([out, err]) => [
        Buffer.from(
          `G job.1 running - - 0 1 0 ${out.length} ${err.length} ${out.length} ${err.length} 0 0 = 0 ${out.length} 0 ${err.length}\n`,
        ),
        out,
        err,
      ]);
    const tail = output.map((bytes) => [Buffer.from(`T job.1 o ${bytes.length}\n`), bytes]);
    const cuts = fc.array(fc.nat(), { maxLength: 20 });
    fc.assert(
      fc.property(fc.array(fc.oneof(state, tail), { maxLength: 5 }), cuts, (frames, at) => {
        const stream = Buffer.concat([Buffer.from(READY), ...frames.flat()]);
        const bounds = [0, ...at.map((one) => one % stream.length).toSorted((a, b) => a - b), stream.length];
        const reader = new FrameReader(NONCE);
        const told = bounds
          .slice(1)
          .flatMap((to, i) => reader.push(stream.subarray(bounds[i], to)))
          .map(joined);
        expect(told.slice(1).map(bytesOf)).toEqual(frames.map(([, ...bytes]) => bytes));
      }),
    );
  });
});

function bytesOf(frame: Frame): Buffer[] {
  if (frame.kind === "tail") return frame.slice.pieces;
  return frame.kind === "state" ? [...frame.stdout.pieces, ...frame.stderr.pieces] : [];
}

describe("noise", () => {
  it("trap: before the greeting is skipped, whatever it is and however it is cut", () => {
    const noise = fc.array(
      fc.oneof(fc.string(), fc.constantFrom("podq1 ", `podq1 ${NONCE}`, "podq1 fedcba9876543210 ready 1 1 1 ,\n", "\n")),
    );
    fc.assert(
      fc.property(noise, fc.nat(40), (before, size) => {
        fc.pre(!before.join("").includes(`podq1 ${NONCE} `));
        const stream = Buffer.from(`${before.join("")}\n${READY}P 1\n`);
        const reader = new FrameReader(NONCE);
        const told: Frame[] = [];
        for (let at = 0; at < stream.length; at += size + 1) told.push(...reader.push(stream.subarray(at, at + size + 1)));
        expect(told.map(({ kind }) => kind)).toEqual(["ready", "pong"]);
      }),
    );
  });

  it("is not kept", () => {
    const reader = new FrameReader(NONCE);
    for (let i = 0; i < 1000; i += 1) expect(reader.push(Buffer.alloc(100_000, "podq1 "))).toEqual([]);
    expect(reader.push(Buffer.from(READY))).toHaveLength(1);
  });

  it.each([
    ["an unknown word", "Q 1\n"],
    ["nothing", "\n"],
    ["too few words", "Z job.1 0 -\n"],
    ["too many words", "P 1 2\n"],
    ["a number that is none", "P x\n"],
    ["a negative length", "T job.1 o -5\n"],
    ["a length beyond all bounds", "T job.1 o 99999999999999999\n"],
    ["an unknown state", "G job.1 dancing - - 0 10 0 0 0 0 0 0 0 = 0 0 0 0\n"],
    ["an exit without a code", "X job.1 - - 0 1 2\n"],
    ["an id with other characters", "D job/1\n"],
    ["a line without end", "P ".padEnd(5000, "1")],
  ])("after the greeting ends the session: %s", (_what, text) => {
    const reader = new FrameReader(NONCE);
    expect(reader.push(Buffer.from(READY + text)).map(({ kind }) => kind)).toEqual(["ready", "garbage"]);
    expect(reader.push(Buffer.from("P 1\n"))).toEqual([]);
  });

  it("never throws, and says nothing after garbage", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => {
        const reader = new FrameReader(NONCE);
        const told = [Buffer.from(READY), ...chunks].flatMap((chunk) => reader.push(Buffer.from(chunk)));
        const garbage = told.findIndex(({ kind }) => kind === "garbage");
        expect(garbage === -1 || garbage === told.length - 1).toBe(true);
      }),
    );
  });
});
