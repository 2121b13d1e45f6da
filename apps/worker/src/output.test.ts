import type { Chunk, Store } from "@podq/store";
import { expect, it } from "vitest";
import { openOutput } from "./output.ts";

// As the collection has it: one piece at each offset, in order, up to the first that is there already.
function shelf() {
  const kept: Chunk[] = [];
  const at = (stream: Chunk["stream"]): Chunk[] => kept.filter((piece) => piece.stream === stream).toSorted((a, b) => a.offset - b.offset);
  const output: Pick<Store["output"], "append" | "size"> = {
    append: async (_job, _run, pieces) =>
      pieces.every((piece) => {
        const free = !kept.some(({ stream, offset }) => stream === piece.stream && offset === piece.offset);
        if (free) kept.push(piece);
        return free;
      }),
    size: async (_job, _run, stream) => at(stream).reduce((_, { offset, data }) => offset + data.byteLength, 0),
  };
  const store = { output } as Pick<Store, "output">;
  return {
    open: async (fresh: boolean) => openOutput(store, { nudge: async () => undefined }, { id: "j", run: 1 }, fresh),
    read: () => at("stdout").map(({ data }) => data.toString()),
  };
}

const all = "0123456789";
const piece = (from: number, to: number): Chunk => ({ stream: "stdout", offset: from, data: Buffer.from(all.slice(from, to)) });

it("stores each byte once, however two attempts that cut the output differently take turns", async () => {
  const { open, read } = shelf();
  const [late, next] = [await open(true), await open(false)];
  await late.write([piece(0, 4)]);
  await next.write([piece(0, 3)]); // all of it is there already
  await next.write([piece(3, 6)]);
  await late.write([piece(4, 9)]);
  await next.write([piece(6, 10)]);
  expect(read().join("")).toBe(all);
  expect([late.stored.stdout, next.stored.stdout]).toEqual([9, 10]);
});
