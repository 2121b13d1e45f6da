import { execFileSync, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { holdLine, killLine, MOST_TOKENS, runLine } from "./remote-shell.ts";

const nasty = ["", " ", "it's", "$(id)", "a\nb", "*", "é", "\\", '"'];
const print = ["/usr/bin/printf", "%s\\0", ...nasty];
const shell = (line: string, path = "/usr/bin:/bin"): ReturnType<typeof spawnSync> =>
  spawnSync("/bin/sh", ["-c", line], { env: { PATH: path } });

describe("the command line of a command", () => {
  it.each([
    ["collected", runLine(print, "token", 10)],
    ["held", holdLine(print, "token")],
  ])("gives a %s command its argv as it is", (_how, line) => {
    expect(String(shell(line).stdout).split("\0").slice(0, -1)).toEqual(nasty);
  });

  it("runs on a host that has no `timeout`", () => {
    expect(String(shell(runLine(["/bin/echo", "ran"], "token", 10), "/nowhere").stdout)).toBe("ran\n");
  });

  it("is ended by the host itself after its limit, when nobody here does it", () => {
    const began = performance.now();
    expect(shell(runLine(["sleep", "60"], "token", 1)).status).toBe(124);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it.for(["bash", "dash", "zsh", "fish", "csh"])("is understood by %s as a login shell", (name, { skip }) => {
    if (spawnSync("/bin/sh", ["-c", `command -v ${name}`]).status !== 0) skip(`${name} is not installed`);
    const plain = ["/usr/bin/printf", "%s\\0", "", "it's", "$(id)", "*"];
    expect(execFileSync(name, ["-c", runLine(plain, "token", 10)], { encoding: "utf8" })).toBe("\0it's\0$(id)\0*\0");
  });
});

const kill = (...tokens: string[]): number | null => spawnSync("/bin/sh", ["-c", killLine(tokens)]).status;
const start = (line: string): Promise<NodeJS.Signals | number | null> =>
  new Promise((resolve) => spawn("/bin/sh", ["-c", line], { stdio: "ignore" }).once("exit", (code, signal) => resolve(signal ?? code)));

describe("the killer", () => {
  it("ends the command of its token and no other", async () => {
    const [mine, other] = [randomUUID(), randomUUID()];
    const ended = start(holdLine(["sleep", "61"], mine));
    const left = start(holdLine(["sleep", "62"], other));
    expect(kill(mine)).toBe(0);
    expect(await ended).toBe("SIGTERM");
    expect(await Promise.race([left, Promise.resolve("runs")])).toBe("runs");
    expect(kill(other)).toBe(0);
    await left;
  });

  it("finds a child that left its session, and ends one that ignores TERM", async () => {
    const token = randomUUID();
    const ended = start(holdLine(["sh", "-c", "trap '' TERM; setsid sleep 63 & while :; do sleep 1; done"], token));
    expect(kill(token)).toBe(0);
    expect(await ended).toBe("SIGKILL");
    expect(spawnSync("/bin/sh", ["-c", `grep -lsF ${token} /proc/[0-9]*/environ`]).stdout.toString()).toBe("");
  });

  it("finds a command whose login shell is still busy with its own start", async () => {
    const token = randomUUID();
    const ended = start(`sleep 30; ${holdLine(["sleep", "64"], token)}`);
    expect(kill(token)).toBe(0);
    expect(await ended).toBe("SIGTERM");
  });

  it.each([
    [[]],
    [[""]],
    [["0"]],
    [[randomUUID().slice(1)]],
    [[`${randomUUID()}\n`]],
    [[randomUUID(), "*"]],
    [Array.from({ length: 51 }, () => randomUUID())],
  ])("is not made for the tokens %j: to look for less than a whole one would find every process of the host", (tokens) => {
    expect(() => killLine(tokens)).toThrow(/token/);
  });

  describe("looking with a grep that only writes down what it is given", () => {
    const folder = mkdtempSync(join(tmpdir(), "podq-killer-"));
    const asked = join(folder, "asked");
    afterAll(() => rmSync(folder, { recursive: true }));
    beforeEach(() => rmSync(asked, { force: true }));
    writeFileSync(join(folder, "grep"), `#!/bin/sh\ncat >> ${asked}\n`, { mode: 0o755 });
    const dry = (line: string): number | null => spawnSync("/bin/sh", ["-c", line], { env: { PATH: `${folder}:/usr/bin:/bin` } }).status;

    it("looks for whole tokens, one a line", () => {
      const tokens = Array.from({ length: MOST_TOKENS }, () => randomUUID());
      expect(dry(killLine(tokens))).toBe(0);
      expect(readFileSync(asked, "utf8")).toBe(`${tokens.join("\n")}\n`.repeat(2)); // an empty first look is checked once more
    });

    it.each([
      "",
      "''",
      "0",
      "*",
      "????????.????-????-????-????????????",
      "01234567.89ab-cdef-0123-456789abcde",
      "01234567.89ab-cdef-0123-456789abcdeX",
    ])("does not look at all when %s arrives instead of a token", (arrived) => {
      const token = randomUUID();
      expect(dry(killLine([token]).replace(token.replace("-", "."), arrived))).toBe(75);
      expect(existsSync(asked)).toBe(false);
    });
  });

  it("is done when there is nothing to end", () => {
    expect(kill(randomUUID())).toBe(0);
  });
});
