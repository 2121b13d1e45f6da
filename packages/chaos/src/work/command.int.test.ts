import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectedOutput, parseMarks, shellText, type Work } from "./command.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "podq-marks-"));
});
afterAll(async () => rm(dir, { recursive: true, force: true }));

const shapes: [what: string, work: Work][] = [
  ["lines", { token: "t1", lines: 3, padBytes: 0, pauseMs: 1, exitCode: 7, input: null }],
  ["long lines", { token: "t2", lines: 2, padBytes: 1_500, pauseMs: 1, exitCode: 0, input: null }],
  ["its input", { token: "t3", lines: 0, padBytes: 0, pauseMs: 0, exitCode: 2, input: "a b\nc" }],
];

describe("a command in a pod", () => {
  it.each(shapes)("writes %s, exits as told, and leaves marks", async (_, work) => {
    const file = join(dir, work.token);
    const env = { PATH: "/usr/bin:/bin", PODQ_RUN: "run", HOSTNAME: "pod" };
    const seen = await new Promise((resolve) => {
      const child = execFile("sh", ["-c", shellText(work, { file })], { env }, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stdout, stderr }),
      );
      child.stdin?.end(work.input ?? "");
    });
    expect(seen).toEqual({ code: work.exitCode, ...expectedOutput(work) });
    const marks = parseMarks(await readFile(file, "utf8"));
    expect(marks.map(({ kind, value }) => [kind, value])).toEqual([
      ["start", 0],
      ...Array.from({ length: work.lines }, (_, i) => ["tick", i + 1]),
      ["end", work.exitCode],
    ]);
    expect(new Set(marks.map(({ token, run, host }) => `${token} ${run} ${host}`))).toEqual(new Set([`${work.token} run pod`]));
    expect(marks.map(({ atS }) => atS)).toEqual(marks.map(({ atS }) => atS).toSorted((a, b) => a - b));
  });
});

it("refuses what is no mark", () => {
  expect(() => parseMarks("s t1 run 12 pod 0\n")).toThrow(/not a mark/);
});
