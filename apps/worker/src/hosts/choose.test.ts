import { describe, expect, it } from "vitest";
import { chooseHost, eligibleHosts, type Candidate } from "./choose.ts";

const host = (name: string, more: Partial<Candidate> = {}): Candidate => ({
  name,
  labels: {},
  weight: 1,
  capacity: null,
  drained: false,
  up: true,
  ...more,
});
const names = (found: Candidate[] | string): string => (typeof found === "string" ? found : found.map(({ name }) => name).join(" "));

describe("the hosts that a pod may be placed on", () => {
  it.each<[string, Candidate[], Record<string, string>, string]>([
    ["are all where nothing is asked", [host("a"), host("b", { labels: { gpu: "yes" } })], {}, "a b"],
    ["have the labels that are asked", [host("a"), host("b", { labels: { gpu: "yes", in: "eu" } })], { gpu: "yes" }, "b"],
    ["are none where one label differs", [host("a", { labels: { gpu: "no" } })], { gpu: "yes" }, 'no host has the labels {"gpu":"yes"}'],
    ["are not drained", [host("a", { drained: true }), host("b")], {}, "b"],
    ["are named where all are drained", [host("a", { drained: true }), host("b", { drained: true })], {}, "drained: a, b"],
    ["are those that can be reached", [host("a", { up: false }), host("b")], {}, "b"],
    ["are those that cannot, where no other is", [host("a", { up: false }), host("b", { drained: true })], {}, "a"],
  ])("%s", (_what, hosts, asked, found) => expect(names(eligibleHosts(hosts, asked))).toBe(found));
});

describe("a pod goes to the host", () => {
  it.each<[string, Candidate[], [string, number][], string | undefined]>([
    [
      "with the fewest pods",
      [host("a"), host("b")],
      [
        ["a", 3],
        ["b", 2],
      ],
      "b",
    ],
    [
      "with the fewest pods for its weight",
      [host("a", { weight: 4 }), host("b")],
      [
        ["a", 6],
        ["b", 1],
      ],
      "a",
    ],
    [
      "that has room",
      [host("a", { capacity: 2 }), host("b", { capacity: 9 })],
      [
        ["a", 2],
        ["b", 8],
      ],
      "b",
    ],
    ["that nobody has counted yet", [host("a"), host("b")], [["a", 1]], "b"],
    ["first named among equals, as chance wants it here", [host("a"), host("b")], [], "a"],
    ["of none where all are full", [host("a", { capacity: 0 }), host("b", { capacity: 1 })], [["b", 1]], undefined],
  ])("%s", (_what, hosts, pods, found) => expect(chooseHost(hosts, new Map(pods), 0)?.name).toBe(found));

  it("in proportion to the weights, one after the other", () => {
    const hosts = [host("big", { weight: 3 }), host("small")];
    const pods = new Map<string, number>();
    for (let n = 0; n < 40; n++) {
      const { name } = chooseHost(hosts, pods)!;
      pods.set(name, (pods.get(name) ?? 0) + 1);
    }
    expect(Object.fromEntries(pods)).toEqual({ big: 30, small: 10 });
  });
});
