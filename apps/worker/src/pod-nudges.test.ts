import { expect, it } from "vitest";
import { nudging } from "./pod-nudges.ts";

it("followers of a pod are told of each change that was made, and of none that was not", async () => {
  const told: string[] = [];
  const pod = { _id: "project/p1/default" };
  const [made, missed] = [async () => pod, async () => null];
  const line = { nudge: async (id: string) => void told.push(id) };
  const pods = nudging({ insert: made, renew: missed, patch: made, get: made } as never, line);
  await pods.insert("project/p1/default", {} as never);
  await pods.renew(pod as never, {} as never);
  expect(told).toEqual([pod._id]);
  expect(await pods.patch(pod as never, {})).toBe(pod);
  await pods.get(pod._id);
  expect(told).toEqual([pod._id, pod._id]);
});
