import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { quoteArgv, quoteWord } from "./quote.ts";

describe("quoting an argv for a shell", () => {
  it.each([
    ["plain", "plain"],
    ["/usr/bin/kubectl", "/usr/bin/kubectl"],
    ["", "''"],
    ["two words", "'two words'"],
    ["it's", `'it'\\''s'`],
    ["-n=1", "'-n=1'"],
    ["~", "'~'"],
  ])("writes %j as %s", (word, quoted) => {
    expect(quoteWord(word)).toBe(quoted);
  });

  it("keeps every word one word, and as it was, whatever it holds", () => {
    const argv = [
      "",
      " ",
      "'",
      "''",
      '"',
      "\\",
      "\\'",
      "$(id)",
      "`id`",
      "$HOME",
      "a\nb",
      "\t",
      "*",
      "?",
      "[a]",
      "{a,b}",
      "~",
      "#",
      "!",
      "!!",
      "a;b",
      "a&b",
      "a|b",
      ">x",
      "<x",
      "é☃😀",
      "A=b",
      "--",
      "\r",
    ];
    const printed = execFileSync("/bin/sh", ["-c", `for word in ${quoteArgv(argv)}; do printf '%s\\0' "$word"; done`], {
      encoding: "utf8",
    });
    expect(printed.split("\0").slice(0, -1)).toEqual(argv);
  });

  it("refuses NUL, which no argv can hold", () => {
    expect(() => quoteWord("a\0b")).toThrow(TypeError);
  });
});
