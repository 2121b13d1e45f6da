import { expect, it } from "vitest";
import { sharedClusters } from "./looks.ts";

it.each<[string, [string, string | null][], string]>([
  [
    "of their own",
    [
      ["a", "1"],
      ["b", "2"],
    ],
    "",
  ],
  [
    "that nobody knows yet",
    [
      ["a", null],
      ["b", null],
    ],
    "",
  ],
  [
    "that two share",
    [
      ["a", "1"],
      ["b", "2"],
      ["c", "1"],
    ],
    "hosts a and c",
  ],
  [
    "that all share",
    [
      ["a", "1"],
      ["b", "1"],
      ["c", "1"],
    ],
    "hosts a and b, hosts a and c, hosts b and c",
  ],
  [
    "that is one host, seen twice",
    [
      ["a", "1"],
      ["a", "1"],
    ],
    "",
  ],
])("hosts with a cluster %s are told apart", (_what, found, told) => {
  const shared = sharedClusters(found.map(([name, cluster]) => ({ name, cluster })));
  expect(shared.map((words) => words.replace(/ lead.*/, "")).join(", ")).toBe(told);
});
