import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { program, strip } from "./program.ts";

const source = readFileSync(new URL("./runner.sh", import.meta.url), "utf8");

describe("what is sent of the runner", () => {
  it("is its code without comments, indentation and empty lines", () => {
    expect(strip("# head\n\nf() {\n  # why\n  echo '#' \"$#\" # kept\n}\n")).toBe("f() {\necho '#' \"$#\" # kept\n}\n");
  });

  it("loses nothing by that: no quoted text spans lines, no line is continued, no document stands in it", () => {
    const code = source.split("\n").filter((line) => !line.trim().startsWith("#"));
    expect(code.filter((line) => line.endsWith("\\") || /<<(?!&)/.test(line) || leavesQuoteOpen(line))).toEqual([]);
    expect(["echo 'a", "echo \"a'b", "echo \\'a'b'"].map(leavesQuoteOpen)).toEqual([true, true, false]);
  });

  it("is a program, and defines functions alone: nothing happens before the first call", () => {
    expect(execFileSync("sh", { input: program, env: {} }).toString()).toBe("");
    execFileSync("sh", ["-n"], { input: program });
  });

  it("is small enough to go in with the first call", () => {
    expect(program.length).toBeLessThan(20_000);
  });

  it("assigns to names of its own only, since the image may export any other", () => {
    const code = program.replaceAll(/\bdd .*/g, "");
    const assigned = [...code.matchAll(/(?:^|[\s;(&|])([A-Za-z_][A-Za-z0-9_]*)=/gm)].map(([, name]) => name!);
    const read = [...code.matchAll(/\bread -r ([^<\n;&|]*)/g)].flatMap(([, names]) => names!.trim().split(" "));
    expect(read.length).toBeGreaterThan(5);
    // Two are meant for what is executed next.
    expect(new Set([...assigned, ...read].filter((name) => !name.startsWith("q_")))).toEqual(new Set(["PODQ_RUN", "LC_ALL"]));
  });
});

function leavesQuoteOpen(line: string): boolean {
  let quote = "";
  for (let at = 0; at < line.length; at += 1) {
    const one = line[at]!;
    if (quote === "" && one === "#" && /\s/.test(line[at - 1] ?? " ")) return false;
    if (one === "\\" && quote !== "'") at += 1;
    else if (quote === one) quote = "";
    else if (quote === "" && (one === "'" || one === '"')) quote = one;
  }
  return quote !== "";
}
