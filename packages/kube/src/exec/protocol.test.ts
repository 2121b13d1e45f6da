import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plainCall } from "./local-shell.ts";
import { calls, FEED_BYTES, isRunId, PIECE_BYTES, type RunCall } from "./protocol.ts";

const text = fc.string({ unit: "binary" }).filter((one) => !one.includes("\0"));
const name = fc.string({ unit: "binary", minLength: 1 }).filter((one) => !/[\0=]/.test(one));
const id = fc.stringMatching(/^[A-Za-z0-9._-]{1,128}$/);
const wild = fc.record({
  cwd: text,
  env: fc.array(fc.tuple(name, text), { maxLength: 5 }),
  argv: fc.array(text, { minLength: 1, maxLength: 5 }).filter(([first = ""]) => !first.includes("=")),
  fence: fc.array(id, { maxLength: 3 }),
});

// A line as a POSIX shell reads it: words of plain characters, of single quotes, and of escaped single quotes.
function wordsOf(line: string): string[] {
  const words: string[] = [];
  const body = /^\{ ([^]*); \}\n$/.exec(line)?.[1] ?? "";
  const word = /((?:'[^']*'|\\'|[A-Za-z0-9._-])+)(?: |$)/y;
  while (word.lastIndex < body.length) {
    const found = word.exec(body)?.[1];
    if (found === undefined) throw new Error(`not in quotes: ${body}`);
    words.push(found.replaceAll(/'([^']*)'|\\(')/g, (_, quoted?: string, escaped?: string) => quoted ?? escaped ?? ""));
  }
  return words;
}

describe("a call", () => {
  it.each<[string, Buffer, string]>([
    ["boot", calls.boot("n0-1", 5, 60, ["/podq", "/t mp"]), "{ boot n0-1 5 60 '/podq' '/t mp'; }\n"],
    ["get", calls.get("job.1", 0, 5, 1024), "{ get job.1 0 5 1024; }\n"],
    ["tail", calls.tail("job.1", "e"), "{ tail_of job.1 e; }\n"],
    ["kill", calls.kill("job.1", "timeout", 1000), "{ kil job.1 timeout 1000; }\n"],
    ["forget", calls.forget(["a.1", "b.2"]), "{ forget a.1 b.2; }\n"],
    ["ping", calls.ping(7), "{ ping 7; }\n"],
    ["feed", calls.feed("job.1", 3, Buffer.from("a\\b'c\0")), "{ feed job.1 3 6 'a\\\\b'\\''c\\0000'; }\n"],
    ["the end of input", calls.feed("job.1", 9, Buffer.alloc(0)), "{ feed job.1 9 0 ''; }\n"],
    ["fed", calls.fed("job.1"), "{ fed job.1; }\n"],
    ["put", calls.put("job.1", 3, Buffer.from("a\\b'c\0d\n")), "{ put job.1 3 'a\\\\b'\\''c\\0000d\n'; }\n"],
    [
      "run",
      calls.run({ ...plainCall, again: { boot: "5-aa" }, alone: true, fence: ["x.1"], env: [["A", "b c"]], cwd: "/w", argv: ["it's", ""] }),
      "{ run job.1 token 60 500 2048 65536 0 1 5-aa '/w' 1 x.1 1 'A=b c' 'it'\\''s' ''; }\n",
    ],
  ])("%s is one complete line", (_name, line, expected) => {
    expect(line.toString("latin1")).toBe(expected);
  });

  it("has nothing of the caller outside of quotes, and all of it inside", () => {
    fc.assert(
      fc.property(wild, ({ cwd, env, argv, fence }) => {
        const line = calls.run({ ...plainCall, cwd, env, argv, fence }).toString();
        const given = [cwd, String(fence.length), ...fence, String(env.length), ...env.map(([key, value]) => `${key}=${value}`), ...argv];
        expect(wordsOf(line)).toEqual(["run", "job.1", "token", "60", "500", "2048", "65536", "0", "0", "0", ...given]);
      }),
    );
  });

  it("carries any bytes of standard input", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const words = wordsOf(calls.put("job.1", 0, bytes).toString("latin1"));
        expect(words.slice(0, 3)).toEqual(["put", "job.1", "0"]);
        // What printf %b makes of it.
        const printed = (words[3] ?? "").replaceAll(/\\(\\|0000)/g, (_, what: string) => (what === "\\" ? "\\" : "\0"));
        expect(Buffer.from(printed, "latin1").equals(Buffer.from(bytes))).toBe(true);
      }),
    );
  });

  it("takes the bytes of a view, not of the buffer behind it", () => {
    const view = new Uint8Array(Buffer.from("xxabcxx").buffer.slice(0)).subarray(0, 0);
    expect(calls.put("job.1", 0, view).toString()).toBe("{ put job.1 0 ''; }\n");
    expect(calls.put("job.1", 0, Buffer.from("xxabcxx").subarray(2, 5)).toString()).toBe("{ put job.1 0 'abc'; }\n");
  });

  it("keeps a first word with an equals sign from being an assignment of env", () => {
    const words = wordsOf(calls.run({ ...plainCall, argv: ["A=b", "c"] }).toString());
    expect(words.slice(-6)).toEqual(["sh", "-c", 'exec "$@"', "sh", "A=b", "c"]);
  });

  it("rounds the cap up to blocks, at least one", () => {
    const blocks = [0, 1, 512, 513, 1024].map((capBytes) => wordsOf(calls.run({ ...plainCall, capBytes }).toString())[5]);
    expect(blocks).toEqual(["1", "1", "1", "2", "2"]);
  });
});

describe("what is not a call", () => {
  it.each<[string, Partial<RunCall>]>([
    ["a NUL in an argument", { argv: ["a\0"] }],
    ["a NUL in the directory", { cwd: "/\0" }],
    ["a NUL in a variable", { env: [["A", "\0"]] }],
    ["a token with a blank", { token: "a b" }],
    ["a container's start that is no word", { again: { boot: "1;id" } }],
    ["another run's id with a slash", { fence: ["../x.1"] }],
  ])("%s", (_what, change) => {
    expect(() => calls.run({ ...plainCall, ...change })).toThrow(RangeError);
  });

  it("an id that is not of the few characters that need no quotes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 140 }), (any) => {
        expect(isRunId(any)).toBe(/^[A-Za-z0-9._-]{1,128}$/.test(any) && !any.includes("\n"));
      }),
    );
    for (const bad of ["", "a b", "a\n", "a;b", "$(id)", "a/b", "a".repeat(129), "ü"])
      for (const call of [
        () => calls.get(bad, 0, 0, 0),
        () => calls.put(bad, 0, Buffer.alloc(0)),
        () => calls.feed(bad, 0, Buffer.alloc(0)),
        () => calls.fed(bad),
        () => calls.tail(bad, "o"),
        () => calls.kill(bad, "cancel", 0),
        () => calls.forget([bad]),
        () => calls.run({ ...plainCall, id: bad }),
      ])
        expect(call).toThrow(RangeError);
  });

  it("a number that is none", () => {
    for (const bad of [-1, 0.5, Number.NaN, Infinity, 2 ** 53])
      for (const call of [
        () => calls.get("a.1", bad, 0, 0),
        () => calls.get("a.1", 0, bad, 0),
        () => calls.get("a.1", 0, 0, bad),
        () => calls.put("a.1", bad, Buffer.alloc(0)),
        () => calls.feed("a.1", bad, Buffer.alloc(0)),
        () => calls.kill("a.1", "cancel", bad),
        () => calls.boot("n", bad, 1, []),
        () => calls.ping(bad),
        () => calls.run({ ...plainCall, deadlineS: bad }),
        () => calls.run({ ...plainCall, graceMs: bad }),
        () => calls.run({ ...plainCall, inlineBytes: bad }),
        () => calls.run({ ...plainCall, inputBytes: bad }),
      ])
        expect(call).toThrow(RangeError);
  });

  it("a piece of input that is too long", () => {
    expect(() => calls.put("a.1", 0, new Uint8Array(PIECE_BYTES + 1))).toThrow(RangeError);
    expect(() => calls.feed("a.1", 0, new Uint8Array(FEED_BYTES + 1))).toThrow(RangeError);
    expect(calls.put("a.1", 0, new Uint8Array(PIECE_BYTES)).length).toBeGreaterThan(PIECE_BYTES);
  });
});
