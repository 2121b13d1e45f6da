import type { ClientSession, Model } from "mongoose";
import { isDuplicate, StoreError } from "./errors.ts";
import type { HostDocument } from "./host-schema.ts";
import type { PodDocument } from "./pod-schema.ts";

/** Does a write that puts a pod on a host, which may have so many, if there is room for it. Throws StoreError `host-full`. */
export type Room = <T>(to: To, write: (session: ClientSession | null) => Promise<T>) => Promise<T>;
type To = { key: string; host: string; capacity: number | null };

/**
 * Keeps hosts within their capacity, whoever places pods there at the same time: each counts in a transaction that first writes to the host's
 * record, so that two of them follow each other. The pods themselves are counted: no number is kept that could come to differ. `whole`: the
 * transaction that this is a part of.
 */
export function createRoom(pods: Model<PodDocument>, hosts: Model<HostDocument>, whole: ClientSession | null = null): Room {
  const last = new Map<string, Promise<unknown>>();

  const placeIn = async <T>(session: ClientSession, { key, host, capacity }: To, write: Parameters<Room>[1]): Promise<T> => {
    await hosts.updateOne({ _id: host }, { $inc: { placements: 1 } }, { session });
    const others = { "host.name": host, status: { $ne: "deleted" as const }, _id: { $ne: key } };
    if ((await pods.countDocuments(others, { session })) >= (capacity ?? Infinity))
      throw new StoreError("host-full", `host ${host} has ${capacity} pods, which is all it may have`);
    return (await write(session)) as T;
  };

  const place = async <T>(to: To, write: Parameters<Room>[1]): Promise<T> => {
    await present(hosts, to.host);
    return pods.db.transaction(async (session) => placeIn<T>(session, to, write));
  };

  return async (to, write) => {
    if (to.capacity === null) return write(whole);
    if (whole !== null) {
      await present(hosts, to.host);
      return placeIn(whole, to, write);
    }
    // Of one process they go one after the other: in transactions that meet each other most of the work is thrown away.
    const before = last.get(to.host) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(async () => place(to, write));
    last.set(to.host, mine);
    mine.catch(() => undefined);
    return (await mine) as never;
  };
}

async function present(hosts: Model<HostDocument>, host: string): Promise<void> {
  try {
    await hosts.updateOne({ _id: host }, { $setOnInsert: { placements: 0 } }, { upsert: true });
  } catch (error) {
    if (!isDuplicate(error)) throw error;
  }
}
