// What the real shells make of quoted text.
import { spawnSync } from "node:child_process";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plainCall, shells } from "./local-shell.ts";
import { calls } from "./protocol.ts";

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom("'", "\\", '"', "$", "`", "\n", ";", "}", "{", "#", "!", "*", "\u0001", "-", "ü") }),
);
const nulless = text.filter((one) => !one.includes("\0"));

for (const { name, argv, missing } of shells) {
  describe.skipIf(missing !== undefined)(`${name} reads`, () => {
    const [file = "", ...args] = argv;
    const said = (program: string, line: Buffer): Buffer =>
      spawnSync(file, args, { input: Buffer.concat([Buffer.from(program), line]), timeout: 10_000 }).stdout;

    it("every word of a call as it was given", () => {
      fc.assert(
        fc.property(fc.array(nulless, { minLength: 20, maxLength: 20 }), (words) => {
          const line = calls.run({ ...plainCall, argv: ["x", ...words] });
          const given = said(`run() { shift 13; printf '%s\\0' "$@"; }\n`, line).toString().split("\0").slice(0, -1);
          expect(given).toEqual(words);
        }),
        { numRuns: 40 },
      );
    });

    it("every byte of standard input as it was given", () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
          expect(said(`put() { printf %b "$3"; }\n`, calls.put("job.1", 0, bytes)).equals(Buffer.from(bytes))).toBe(true);
        }),
        { numRuns: 40 },
      );
    });
  });
}
