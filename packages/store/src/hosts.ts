import type { Model } from "mongoose";
import type { HostDocument, NetworkTrial } from "./host-schema.ts";
import type { PodDocument } from "./pod-schema.ts";

/** A host as callers see it; `pods` are all that are not deleted. */
export type HostRecord = { name: string; pods: number } & Omit<HostDocument, "_id" | "placements" | "cluster" | "lookedAt"> & {
    lookedAt: Date;
  };

/** What a worker has seen of a host. `seenAt` is left as it is where that was nothing. */
export type HostLook = Omit<HostDocument, "_id" | "placements" | "seenAt" | "lookedAt" | "error" | "network"> & {
  error: Pick<NonNullable<HostDocument["error"]>, "code" | "message"> | null;
};

/** The hosts as workers see them, and how many pods are on each. */
export type HostStore = ReturnType<typeof createHostStore>;

export function createHostStore(hosts: Model<HostDocument>, pods: Model<PodDocument>) {
  const countPods = async (): Promise<Map<string, number>> => {
    const found = await pods.aggregate<{ _id: string; pods: number }>([
      { $match: { status: { $ne: "deleted" } } },
      { $group: { _id: "$host.name", pods: { $sum: 1 } } },
    ]);
    return new Map(found.map(({ _id, pods: count }) => [_id, count]));
  };

  return {
    /** How many pods each host has, by its name: all that are not deleted. */
    countPods,

    /** Records what was seen of a host just now. */
    async saw(name: string, { error, ...look }: HostLook): Promise<void> {
      const now = new Date();
      const set = { ...look, error: error && { ...error, at: now }, lookedAt: now, ...(look.up ? { seenAt: now } : {}) };
      await hosts.updateOne({ _id: name }, { $set: set, $setOnInsert: { placements: 0 } }, { upsert: true });
    },

    /** What came of trying whether the network of this host's cluster enforces NetworkPolicies. Null: nobody has tried. */
    network: async (name: string): Promise<NetworkTrial | null> => (await hosts.findById(name).lean<HostDocument>())?.network ?? null,

    /** Records that, in the records of its pods as well. No version of theirs: whoever works on one is not to be kept from saying so. */
    async triedNetwork(name: string, trial: Omit<NetworkTrial, "at">): Promise<void> {
      const network = { ...trial, at: new Date() };
      await hosts.updateOne({ _id: name }, { $set: { network }, $setOnInsert: { placements: 0 } }, { upsert: true });
      await pods.updateMany({ "host.name": name, status: { $ne: "deleted" } }, { $set: { networkEnforced: trial.enforced } });
    },

    /** Names of the hosts, with their clusters, that answered since then. */
    clusters: async (since: Date): Promise<{ name: string; cluster: string }[]> =>
      (await hosts.find({ up: true, cluster: { $ne: null }, lookedAt: { $gte: since } }).lean<HostDocument[]>()).flatMap(
        ({ _id: name, cluster }) => (cluster === null ? [] : [{ name, cluster }]),
      ),

    /** Every host that a worker has looked at, by name. */
    async list(): Promise<HostRecord[]> {
      const [found, counts] = await Promise.all([
        hosts
          .find({ lookedAt: { $type: "date" } })
          .sort({ _id: 1 })
          .lean<(HostDocument & { lookedAt: Date })[]>(),
        countPods(),
      ]);
      return found.map(({ _id: name, placements: _placements, cluster: _cluster, ...host }) => ({
        name,
        ...host,
        pods: counts.get(name) ?? 0,
        // Of one that never answered nobody has written when it did.
        seenAt: host.seenAt ?? null,
        network: host.network ?? null,
      }));
    },
  };
}
