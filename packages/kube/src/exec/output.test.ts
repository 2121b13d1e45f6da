import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Slice } from "./frames.ts";
import type { Piece } from "./outcome.ts";
import { Output } from "./output.ts";

const slice = (offset: number, ...texts: string[]): Slice => ({
  offset,
  length: texts.join("").length,
  pieces: texts.map((one) => Buffer.from(one)),
});
const nothing = slice(0);

function taker(): { pieces: Piece[]; take: (pieces: Piece[]) => Promise<void> } {
  const taken: Piece[] = [];
  return { pieces: taken, take: async (pieces) => void taken.push(...pieces) };
}
const shown = (pieces: Piece[]): string[] => pieces.map(({ stream, offset, data }) => `${stream} ${offset} ${data.toString()}`);

describe("the output of a run", () => {
  it("is handed on in the pieces it came in, from where the caller stands", async () => {
    const { pieces, take } = taker();
    const output = new Output({ stdout: 2, stderr: 0 }, take);
    output.take({ stdout: slice(0, "a", "bc", "d"), stderr: slice(0, "e") });
    await output.flushed();
    expect(shown(pieces)).toEqual(["stdout 2 c", "stdout 3 d", "stderr 0 e"]);
  });

  it("has each byte once, whatever slices of it overlap", async () => {
    const whole = "0123456789abcdefghijklmnopqrstuvwxyz";
    const slices = fc.array(fc.tuple(fc.nat(10), fc.nat(12)), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(slices, async (steps) => {
        const { pieces, take } = taker();
        const output = new Output({ stdout: 0, stderr: 0 }, take);
        for (const [back, length] of steps) {
          const offset = Math.max(0, output.arrived.stdout - back);
          output.take({ stdout: slice(offset, whole.slice(offset, offset + length)), stderr: nothing });
        }
        await output.flushed();
        expect(pieces.map(({ data }) => data.toString()).join("")).toBe(whole.slice(0, output.arrived.stdout));
        let at = 0;
        for (const { offset, data } of pieces) {
          expect(offset).toBe(at);
          at += data.length;
        }
      }),
    );
  });

  it("asks for what is known to be there, no further than a slice, and anew after a cut", () => {
    const output = new Output({ stdout: 10, stderr: 0 }, taker().take);
    output.ask({ stdout: 100, stderr: 5 }, 50);
    expect(output.asked).toEqual({ stdout: 60, stderr: 5 });
    output.ask({ stdout: 100, stderr: 5 }, 50);
    expect(output.asked).toEqual({ stdout: 100, stderr: 5 });
    output.forgetAsked();
    expect(output.asked).toEqual({ stdout: 10, stderr: 0 });
  });

  it("goes on at the kept end of a capped stream, where that was not taken before", async () => {
    const { pieces, take } = taker();
    const output = new Output({ stdout: 0, stderr: 997 }, take);
    output.take({ stdout: slice(0, "head"), stderr: nothing });
    output.takeTail("stdout", slice(0, "tail"), 1000);
    output.takeTail("stderr", slice(0, "abcd"), 999);
    await output.flushed();
    expect(shown(pieces)).toEqual(["stdout 0 head", "stdout 996 tail", "stderr 997 cd"]);
    expect(output.arrived).toEqual({ stdout: 1000, stderr: 999 });
  });

  it("knows how much the caller has not taken yet, and tells when he has", async () => {
    const gate = Promise.withResolvers<void>();
    let told = 0;
    const output = new Output({ stdout: 0, stderr: 0 }, () => gate.promise);
    output.onTaken = () => void (told += 1);
    output.take({ stdout: slice(0, "abc"), stderr: slice(0, "d") });
    expect([output.held, told]).toEqual([4, 0]);
    gate.resolve();
    await output.flushed();
    expect([output.held, told]).toEqual([0, 1]);
  });

  it("hands on nothing after the caller threw, and ends with what he threw", async () => {
    const seen: Piece[] = [];
    const output = new Output({ stdout: 0, stderr: 0 }, async (pieces) => {
      seen.push(...pieces);
      throw new Error("full");
    });
    output.take({ stdout: slice(0, "a"), stderr: nothing });
    output.take({ stdout: slice(1, "b"), stderr: nothing });
    await expect(output.flushed()).rejects.toThrow("full");
    expect(shown(seen)).toEqual(["stdout 0 a"]);
  });
});
