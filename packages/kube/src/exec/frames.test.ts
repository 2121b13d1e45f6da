import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameReader, type Frame, type Slice } from "./frames.ts";

const NONCE = "n0nce";
const GREETING = `podq1 ${NONCE} ready 12-ab 1000 1 ,\n`;

function read(bytes: Buffer, cuts: readonly number[] = []): Frame[] {
  const reader = new FrameReader(NONCE);
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...ends].flatMap((start, i) => reader.push(bytes.subarray(start, ends[i] ?? bytes.length)));
}

// A frame, its bytes, and the bodies in it as text, since slices come in as many pieces as the way made of them.
const body = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
const hostile = fc
  .constantFrom("Z j.1 0 - 0 1 2 0 0 0 0 0 0 = 0\n", GREETING, "\n\n", "P 1\n", "K a never\n")
  .map((one) => Buffer.from(one));
const bytes = fc.oneof(body, hostile);
const message = fc.oneof(
  fc.record({ out: bytes, err: bytes }).map(({ out, err }) => ({
    wire: Buffer.concat([
      Buffer.from(`Z j.1 3 timeout 2 10 20 ${out.length} ${err.length} ${out.length} ${err.length} 0 0 = 1\n`),
      out,
      err,
    ]),
    bodies: [out, err],
    kind: "closed",
  })),
  fc.record({ out: bytes, err: bytes, at: fc.nat() }).map(({ out, err, at }) => ({
    wire: Buffer.concat([Buffer.from(`G j.1 running - - 0 5 0 9 9 9 9 0 0 + ${at} ${out.length} 0 ${err.length}\n`), out, err]),
    bodies: [out, err],
    kind: "state",
  })),
  bytes.map((tail) => ({ wire: Buffer.concat([Buffer.from(`T j.1 e ${tail.length}\n`), tail]), bodies: [tail], kind: "tail" })),
  fc.nat().map((n) => ({ wire: Buffer.from(`P ${n}\n`), bodies: [], kind: "pong" })),
  fc.constant({ wire: Buffer.from("D j.1\n"), bodies: [], kind: "claimed" }),
  fc.constant({ wire: Buffer.from("K j.1 left 12 13\n"), bodies: [], kind: "killed" }),
);

const whole = (slice: Slice): Buffer => Buffer.concat(slice.pieces);

function bodiesOf(frame: Frame): Buffer[] {
  if (frame.kind === "state") return [whole(frame.stdout), whole(frame.stderr)];
  if (frame.kind === "closed") return frame.inline ? [whole(frame.inline.stdout), whole(frame.inline.stderr)] : [];
  return frame.kind === "tail" ? [whole(frame.slice)] : [];
}

describe("frames", () => {
  it("come out as they went in, wherever the way cuts them and whatever bytes are in them", () => {
    const noise = fc.oneof(
      body,
      fc.constantFrom("podq1 ", "podq1 other ready 1 2 1 ,\n", "Last login: today\n", "podq1 n0nc").map((one) => Buffer.from(one)),
    );
    fc.assert(
      fc.property(noise, fc.array(message), fc.array(fc.nat(), { maxLength: 40 }), (before, messages, cuts) => {
        fc.pre(!before.includes(GREETING.slice(0, 12)));
        const frames = read(Buffer.concat([before, Buffer.from(GREETING), ...messages.map(({ wire }) => wire)]), cuts);
        expect(frames.map(({ kind }) => kind)).toEqual(["ready", ...messages.map(({ kind }) => kind)]);
        expect(frames.flatMap(bodiesOf)).toEqual(messages.flatMap(({ bodies }) => bodies));
      }),
      { numRuns: 300 },
    );
  });

  it("are the same byte by byte as at once", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), (messages) => {
        const wire = Buffer.concat([Buffer.from(`noise${GREETING}`), ...messages.map((one) => one.wire)]);
        const bytewise = read(
          wire,
          Array.from({ length: wire.length }, (_, i) => i),
        );
        expect(bytewise.map((frame) => [frame.kind, bodiesOf(frame)])).toEqual(read(wire).map((frame) => [frame.kind, bodiesOf(frame)]));
      }),
      { numRuns: 50 },
    );
  });

  it("are garbage once, and nothing afterwards, for any bytes that are none", () => {
    fc.assert(
      fc.property(body, fc.array(fc.nat(), { maxLength: 10 }), (junk, cuts) => {
        const frames = read(Buffer.concat([Buffer.from(GREETING), junk, Buffer.from("\n?\nP 1\n")]), cuts);
        const at = frames.findIndex(({ kind }) => kind === "garbage");
        expect(at).toBe(frames.length - 1);
      }),
    );
  });

  it("do not begin before the greeting with our nonce, however much noise there is", () => {
    const reader = new FrameReader(NONCE);
    for (let i = 0; i < 100; i += 1) expect(reader.push(Buffer.from(`P ${i}\npodq1 0ther ready 1 1 1 ,\n`.repeat(100)))).toEqual([]);
    expect(reader.push(Buffer.from(GREETING))).toEqual([{ kind: "ready", boot: "12-ab", uptimeMs: 1000, kept: true, weaker: [] }]);
  });

  it("are garbage when a line does not end", () => {
    const reader = new FrameReader(NONCE);
    reader.push(Buffer.from(GREETING));
    expect(reader.push(Buffer.alloc(5000, "a"))).toMatchObject([{ kind: "garbage" }]);
  });

  it.each([
    [
      "Z j.1 0 - 0 1 2 0 0 0 0 0 0 = 0",
      { kind: "closed", id: "j.1", inline: null, summary: { exitCode: 0, why: null, left: 0, startedMs: 1, endedMs: 2, atLeast: false } },
    ],
    [
      "Z j.1 137 timeout 0 1 2 5 6 7 8 2 3 + 0",
      {
        summary: {
          exitCode: 137,
          why: "timeout",
          stdout: { kept: 5, total: 7, tail: 2 },
          stderr: { kept: 6, total: 8, tail: 3 },
          atLeast: true,
        },
      },
    ],
    ["X j.1 0 - 3 1 2", { kind: "exited", exitCode: 0, why: null, left: 3, startedMs: 1, endedMs: 2 }],
    ["G j.1 error:cwd - - 0 0 0 0 0 0 0 0 0 = 0 0 0 0", { kind: "state", state: { name: "error", why: "cwd" } }],
    [
      "G j.1 lost:boot - cancel 0 0 0 0 0 0 0 0 0 = 0 0 0 0",
      { state: { name: "lost", why: "boot" }, summary: { why: "cancel", exitCode: null } },
    ],
    ["E j.1 noclaim", { kind: "error", why: "noclaim" }],
    ["K j.1 gone", { kind: "killed", what: "gone", pids: [] }],
  ])("say what they say: %s", (line, frame) => {
    expect(read(Buffer.from(`${GREETING}${line}\n`))[1]).toMatchObject(frame);
  });

  it.each([
    "Z j.1 0 - 0 1 2 0 0 0 0 0 0 = 0 1",
    "Z j.1 0 - 0 1 2 0 0 0 0 0 0 =",
    "Z j.1 x - 0 1 2 0 0 0 0 0 0 = 0",
    "Z j.1 0 - 0 1 2 99999999999999999 0 0 0 0 0 = 1",
    "G j.1 asleep - - 0 0 0 0 0 0 0 0 0 = 0 0 0 0",
    "X j.1 - - 0 1 2",
    "K j.1 maybe",
    "T j.1 x 0",
    "P -1",
    " P 1",
    "p 1",
    "",
  ])("are not what is nearly right: %j", (line) => {
    expect(read(Buffer.from(`${GREETING}${line}\n`)).map(({ kind }) => kind)).toEqual(["ready", "garbage"]);
  });

  it("tell of a journal that has no place", () => {
    expect(read(Buffer.from(`podq1 ${NONCE} nodir\n`))).toEqual([{ kind: "refused", why: "nodir" }]);
    expect(read(Buffer.from(`podq1 ${NONCE} ready 1-a 5 0 ,setsid,journal\n`))).toMatchObject([
      { kept: false, weaker: ["setsid", "journal"] },
    ]);
  });
});
