import { execFileSync } from "node:child_process";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plainCall } from "./local-shell.ts";
import { calls, isRunId, PIECE_BYTES, quote } from "./protocol.ts";

const text = fc.string({ unit: "binary" }).map((one) => one.replaceAll("\0", ""));

// What a POSIX shell makes of a line in which everything special stands between single quotes.
function words(line: string): string[] {
  const found: string[] = [];
  for (let at = 0; at < line.length;) {
    if (line[at] === " ") {
      at += 1;
      continue;
    }
    let word = "";
    while (at < line.length && line[at] !== " ") {
      if (line[at] === "'") {
        const end = line.indexOf("'", at + 1);
        if (end < 0) throw new Error("an open quote");
        word += line.slice(at + 1, end);
        at = end + 1;
      } else if (line[at] === "\\") {
        word += line[at + 1];
        at += 2;
      } else if (/[A-Za-z0-9._:-]/.test(line[at]!)) {
        word += line[at++];
      } else throw new Error(`${JSON.stringify(line[at])} stands bare in ${line}`);
    }
    found.push(word);
  }
  return found;
}

function callWords(line: Buffer): string[] {
  const whole = line.toString();
  expect(whole.startsWith("{ ")).toBe(true);
  expect(whole.endsWith("; }\n")).toBe(true);
  return words(whole.slice(2, -4));
}

describe("a call", () => {
  it("is one shell command whose words are what went in, whatever that was", () => {
    const name = fc.stringMatching(/^[^=\0]+$/);
    fc.assert(
      fc.property(fc.array(text, { minLength: 1 }), fc.array(fc.tuple(name, text)), text, (argv, env, cwd) => {
        fc.pre(!argv[0]!.includes("="));
        const seen = callWords(calls.run({ ...plainCall, id: "j.1", argv, env, cwd, fence: ["a.1", "b.2"] }));
        expect(seen.slice(0, 2)).toEqual(["run", "j.1"]);
        expect(seen.slice(10)).toEqual([
          cwd,
          "2",
          "a.1",
          "b.2",
          String(env.length),
          ...env.map(([key, value]) => `${key}=${value}`),
          ...argv,
        ]);
      }),
    );
  });

  it("survives a real shell", () => {
    const awkward = [
      "",
      "'",
      "''",
      "\\",
      "$HOME",
      "`id`",
      "$(id)",
      "\n",
      "a\nb'",
      "*",
      "~",
      "; }",
      "}\n{",
      "\u0001\u007f",
      "ü🜚",
      "-n",
      "--",
    ];
    const output = execFileSync("sh", ["-c", `printf '%s\\0' ${awkward.map(quote).join(" ")}`]).toString();
    expect(output.split("\0").slice(0, -1)).toEqual(awkward);
  });

  it("keeps a first word with an equals sign from being taken for an assignment", () => {
    expect(callWords(calls.run({ ...plainCall, argv: ["a=b", "c"] })).slice(-6)).toEqual(["sh", "-c", 'exec "$@"', "sh", "a=b", "c"]);
  });

  it("says what is known of an earlier one", () => {
    const known = ["never", "unknown", { boot: "12-ab" }] as const;
    expect(known.map((again) => callWords(calls.run({ ...plainCall, again }))[9])).toEqual(["0", "1", "12-ab"]);
  });

  it("counts the cap in blocks of 512 bytes, upwards", () => {
    const blocks = [0, 1, 512, 513].map((capBytes) => callWords(calls.run({ ...plainCall, capBytes }))[5]);
    expect(blocks).toEqual(["1", "1", "1", "2"]);
  });

  it("carries a piece of input as printf's %b reads it", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (piece) => {
        const line = calls.put("j.1", 0, piece).toString("latin1");
        const word = /^\{ put j\.1 0 (.*); \}\n$/s.exec(line)?.[1] ?? "";
        const seen = word.slice(1, -1).replaceAll("'\\''", "'");
        expect(seen).not.toContain("\0");
        const bytes = seen.replaceAll(/\\(\\|0000)/g, (_, what: string) => (what === "\\" ? "\\" : "\0"));
        expect(Buffer.from(bytes, "latin1").equals(piece)).toBe(true);
      }),
    );
  });

  it.each<[string, () => unknown]>([
    ["a NUL", () => quote("a\0b")],
    ["an id with a blank", () => calls.get("a b", 0, 0, 0)],
    ["an id with a slash", () => calls.forget(["../x"])],
    ["an id that is empty", () => calls.kill("", "cancel", 0)],
    ["a nonce with a quote", () => calls.boot("a'b", 1, 1, [])],
    ["a token with a semicolon", () => calls.run({ ...plainCall, token: "a;b" })],
    ["a negative number", () => calls.get("a", -1, 0, 0)],
    ["a fraction", () => calls.ping(0.5)],
    ["a number that is none", () => calls.kill("a", "cancel", Number.NaN)],
    ["a piece that is too long", () => calls.put("a", 0, new Uint8Array(PIECE_BYTES + 1))],
  ])("is refused with %s", (_what, make) => {
    expect(make).toThrow(RangeError);
  });

  it("takes as id what is safe as a file name and bare in a line", () => {
    expect(["a", "a.1", "A-b_c.12", "a".repeat(128)].every(isRunId)).toBe(true);
    expect(["", "a b", "a/b", "a'b", "a\n", "ü", "$a", "a".repeat(129)].some(isRunId)).toBe(false);
  });
});
