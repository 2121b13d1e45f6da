import { expect, it } from "vitest";
import { wasConnected, type StreamChange } from "./judge.ts";

const changes = (...moments: [StreamChange["what"], bigint][]): StreamChange[] => moments.map(([what, at]) => ({ what, at }));

it.each<[string, StreamChange[], boolean]>([
  ["open before the save, and not cut", changes(["open", 1n]), true],
  ["cut after he was told", changes(["open", 1n], ["cut", 30n]), true],
  ["cut and open again before the save", changes(["open", 1n], ["cut", 2n], ["open", 5n]), true],
  ["cut before the save", changes(["open", 1n], ["cut", 5n], ["open", 15n]), false],
  ["cut between the save and the telling", changes(["open", 1n], ["cut", 15n]), false],
  ["never open", changes(), false],
])("a stream that was %s", (_, given, connected) => {
  expect(wasConnected(given, 10n, 20n)).toBe(connected);
});
