import { describe, expect, it } from "vitest";
import { isNewEnough } from "./binaries.ts";

describe("a program found on PATH", () => {
  it.each([
    ["Redis server v=6.2.14 sha=00000000:0 malloc=jemalloc-5.1.0 bits=64", [6, 2], true],
    ["Redis server v=5.0.3 sha=00000000:0", [6, 2], false],
    ["Redis server v=7.0.15 sha=00000000:0", [6, 2], true],
    ["db version v6.0.5\nBuild Info: {}", [6, 0], true],
    ["db version v4.4.29\nBuild Info: {}", [6, 0], false],
    ['{ "clientVersion": { "major": "1", "minor": "29", "gitVersion": "v1.29.4" } }', [1, 30], false],
    ['{ "clientVersion": { "major": "1", "minor": "32", "gitVersion": "v1.32.4-dispatcher" } }', [1, 30], true],
    ["no version at all", [1, 0], false],
  ] as const)("saying %j is at least %j: %j", (words, least, fit) => {
    expect(isNewEnough(words, least)).toBe(fit);
  });
});
