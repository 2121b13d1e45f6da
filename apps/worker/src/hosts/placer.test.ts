import { expect, it } from "vitest";
import type { WorkHost } from "./open.ts";
import { createPlacer } from "./placer.ts";

type Of = { labels?: Record<string, string>; capacity?: number; drained?: boolean; state?: "open" | "closed" };

// Of a host, what a placer looks at.
const host = (name: string, { labels = {}, capacity, drained = false, state = "closed" }: Of = {}): WorkHost =>
  ({
    name,
    settings: { name, labels, weight: 1, capacity: capacity ?? null, drained },
    use: () => ({ ssh: { breaker: { state } } }),
  }) as unknown as WorkHost;
const nobody = async () => new Map<string, number>();

it("a pod goes where there is only one host without a count", async () => {
  const place = createPlacer([host("a"), host("b", { drained: true })], async () => Promise.reject(new Error("counted")));
  expect((await place({}, new Set())).name).toBe("a");
});

it("pods that come between two counts are shared out as if they had been counted", async () => {
  const place = createPlacer([host("a"), host("b")], nobody);
  const placed = [];
  for (let n = 0; n < 6; n++) placed.push((await place({}, new Set())).name);
  expect(placed.filter((name) => name === "a")).toHaveLength(3);
});

it("a host that cannot be reached gets no new pod while another can", async () => {
  const place = createPlacer([host("a", { state: "open" }), host("b")], nobody);
  expect((await place({}, new Set())).name).toBe("b");
});

it.each([
  ["labels that no host has", { gpu: "yes" }, [], /no host has the labels {"gpu":"yes"}/],
  ["hosts that are full", {}, ["a", "b"], /full: a, b/],
])("%s are named", async (_what, asked, full, told) => {
  const place = createPlacer([host("a"), host("b")], nobody);
  await expect(place(asked, new Set(full))).rejects.toMatchObject({
    code: "unschedulable",
    message: expect.stringMatching(told) as string,
  });
});
