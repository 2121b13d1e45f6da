import type { Model } from "mongoose";
import type { HostDocument } from "./host-schema.ts";
import type { PodDocument } from "./pod-schema.ts";

/** The hosts as workers see them, and how many pods are on each. */
export type HostStore = ReturnType<typeof createHostStore>;

export function createHostStore(_model: Model<HostDocument>, pods: Model<PodDocument>) {
  return {
    /** How many pods each host has, by its name: all that are not deleted. */
    async countPods(): Promise<Map<string, number>> {
      const found = await pods.aggregate<{ _id: string; pods: number }>([
        { $match: { status: { $ne: "deleted" } } },
        { $group: { _id: "$host.name", pods: { $sum: 1 } } },
      ]);
      return new Map(found.map(({ _id, pods: count }) => [_id, count]));
    },
  };
}
