import { mayPodMove, type PodStatus } from "@podq/jobs";
import type { ClientSession, Model, mongo, QueryFilter } from "mongoose";
import { isDuplicate } from "./errors.ts";
import { ofOwners } from "./owners.ts";
import type { Expiry, PodDocument } from "./pod-schema.ts";
import type { Sightings } from "./sightings.ts";
import { literal, versionsOf, visible } from "./stages.ts";
import type { Room } from "./room.ts";
import { together } from "./together.ts";

/** What a caller sees of a pod. */
export type PodRecord = Omit<
  PodDocument,
  "_id" | "identity" | "reserved" | "deleteBegun" | "deploymentUid" | "unsettled" | "history" | "expiry" | "updated" | Inner
> & {
  updated: string[];
  expiry: Omit<Expiry, "lookAt" | "firedAt"> | null;
};

type Inner = "drifted" | "marks" | "reconciling";

/** A record as some version of podq wrote it: without what there was not yet. */
type KeptRecord = Omit<PodRecord, Later> & { [Field in Later]?: PodRecord[Field] | null | undefined };
type Later = "updated" | "template" | "cause" | "restarts" | "networkEnforced" | "expiry";

/** What a generation of a pod starts with. */
export type NewPod = Pick<
  PodDocument,
  "owner" | "name" | "generation" | "namespace" | "identity" | "image" | "resources" | "labels" | "host"
> &
  Partial<Pick<PodDocument, "expiry" | "reserved" | "template">>;

/** What a write may change. */
export type PodPatch = Partial<
  Omit<
    PodDocument,
    "_id" | "owner" | "name" | "generation" | "version" | "history" | "createdAt" | "updatedAt" | "unsettled" | "reconciling"
  >
>;

/** Which pods a list shows. */
export type PodFilter = {
  owner?: { kind: "project" | "conversation"; id: string };
  /** Only these owners' pods: `project/p1`. */
  owners?: readonly string[];
  /** Name of the host that the pod is on. */
  host?: string;
  status?: PodStatus;
  labels?: Record<string, string>;
  after?: string;
};

/** The pods collection: the record of every pod. */
export type PodStore = ReturnType<typeof createPodStore>;

/** Counts what a caller sees of a pod; its history has the code of why it is as it is. */
export const visiblePod = visible(["status", "generation"], { code: { $ifNull: ["$error.code", { $ifNull: ["$cause.code", null] }] } });

/** The part of a pod's document that callers see. `sightings`: when its cluster was last looked at, if that was later than at the pod itself. */
export function toPodRecord(document: PodDocument, sightings?: Sightings): PodRecord {
  const {
    _id,
    identity: _identity,
    reserved: _reserved,
    deleteBegun: _begun,
    deploymentUid: _uid,
    unsettled: _unsettled,
    history: _history,
    expiry,
    drifted,
    marks: _marks,
    reconciling: _reconciling,
    ...record
  } = document;
  return wholePodRecord({
    ...record,
    differs: [...new Set([...record.differs, ...(drifted ?? [])])],
    observedAt: sightings?.of(document) ?? record.observedAt,
    expiry: expiry ? toldOf(expiry) : null,
  });
}

/** A record as it was kept, in a pod's document or as the result of a job, with null for what there was not yet when it was written. */
export function wholePodRecord(kept: KeptRecord): PodRecord {
  const { service, updated, template, cause, restarts, networkEnforced, expiry } = kept;
  const ports = service.ports.map((port) => ({ ...port, protocol: port.protocol ?? null, url: port.url ?? null }));
  return {
    ...kept,
    service: { ...service, access: service.access ?? null, ports },
    template: template ?? null,
    updated: updated ?? [],
    cause: cause ?? null,
    restarts: restarts ?? null,
    networkEnforced: networkEnforced ?? null,
    expiry: expiry ?? null,
  };
}

function toldOf({ lookAt: _lookAt, firedAt: _firedAt, ...told }: Expiry): PodRecord["expiry"] {
  return told;
}

/** The record that was read, and no later one. */
export const at = (pod: PodDocument): QueryFilter<PodDocument> => ({ _id: pod._id, generation: pod.generation, version: pod.version });

/** The pods; `whole`: those that a transaction sees and writes. */
export function createPodStore(model: Model<PodDocument>, room: Room, whole: ClientSession | null = null) {
  const change = async (filter: QueryFilter<PodDocument>, set: object, session = whole): Promise<PodDocument | null> =>
    model
      .findOneAndUpdate(filter, [{ $set: set }, visiblePod], { updatePipeline: true, returnDocument: "after", session })
      .lean<PodDocument>();

  const getMany = async (keys: readonly string[]): Promise<(PodDocument | null)[]> => {
    const pods = model.collection as unknown as mongo.Collection<PodDocument>;
    const found = new Map((await pods.find<PodDocument>({ _id: { $in: [...keys] } }).toArray()).map((pod) => [pod._id, pod]));
    return keys.map((key) => found.get(key) ?? null);
  };

  return {
    get: together(getMany),

    /** The versions of the pods with these keys; those that are not known are left out. */
    versions: async (keys: readonly string[]): Promise<Map<string, number>> =>
      versionsOf(await model.find({ _id: { $in: keys } }, { version: 1 }).lean<{ _id: string; version: number }[]>()),

    /** Records a pod for the first time, on a host that may have so many. Null: somebody else has. Throws StoreError `host-full`. */
    async insert(key: string, pod: NewPod, capacity: number | null = null): Promise<PodDocument | null> {
      const now = new Date();
      const document: PodDocument = {
        _id: key,
        ...pod,
        ...fresh,
        expiry: pod.expiry ?? null,
        template: pod.template ?? null,
        unsettled: [],
        version: 1,
        history: [{ version: 1, at: now, status: "created", generation: pod.generation, code: null }],
        createdAt: now,
        updatedAt: now,
      };
      // In a transaction a duplicate ends all of it, so it is looked for before.
      if (whole !== null && (await model.exists({ _id: key }).session(whole)) !== null) return null;
      try {
        await room({ key, host: pod.host.name, capacity }, async (session) => model.insertOne(document, { session }));
        return document;
      } catch (error) {
        if (isDuplicate(error)) return null;
        throw error;
      }
    },

    /**
     * Begins the next generation of a pod that is deleted, or whose delete has failed, on a host that may have so many. Null: the record
     * has moved on. Throws StoreError `host-full`.
     */
    async renew(pod: PodDocument, next: NewPod, capacity: number | null = null): Promise<PodDocument | null> {
      if (!mayPodMove(pod.status, "created")) return null;
      const set = literals({ expiry: null, template: null, ...next, ...fresh, unsettled: [] });
      return room({ key: pod._id, host: next.host.name, capacity }, async (session) => change(at(pod), set, session));
    },

    /** Changes a record, if it is still the one that was read. Null: it has moved on, or may not move so. */
    patch: async (pod: PodDocument, patch: PodPatch): Promise<PodDocument | null> =>
      patch.status === undefined || mayPodMove(pod.status, patch.status) ? change(at(pod), literals(patch)) : null,

    /** The record, for a job that has the pod's turn and found that the reconciler is about to write to it: from here on it is not. */
    async settle(pod: PodDocument): Promise<PodDocument | null> {
      let now: PodDocument | null = pod;
      while (now?.reconciling)
        now =
          (await model
            .findOneAndUpdate({ _id: now._id, reconciling: now.reconciling }, { $set: { reconciling: null } }, { returnDocument: "after" })
            .lean<PodDocument>()) ?? (await model.findById(now._id).lean<PodDocument>());
      return now;
    },

    /** Notes a run whose end nobody saw, so that the next job in this pod ends it first. */
    async addUnsettled(key: string, run: string): Promise<void> {
      await model.updateOne({ _id: key }, { $addToSet: { unsettled: run } });
    },

    /** Drops runs that have been seen to be over. */
    async removeUnsettled(key: string, runs: readonly string[]): Promise<void> {
      await model.updateOne({ _id: key }, { $pull: { unsettled: { $in: [...runs] } } });
    },

    /** Pods in the order of their keys, at most `limit`. */
    async list({ owner, owners, host, status, labels = {}, after }: PodFilter, limit: number): Promise<PodDocument[]> {
      const filter: QueryFilter<PodDocument> = {
        ...(owner === undefined ? {} : { [`owner.${owner.kind}`]: owner.id }),
        ...(status === undefined ? {} : { status }),
        ...(host === undefined ? {} : { "host.name": host }),
        ...(owners === undefined ? {} : { $or: ofOwners("_id", owners) }),
        ...(after === undefined ? {} : { _id: { $gt: after } }),
        $expr: {
          $and: Object.entries(labels).map(([key, value]) => ({
            $eq: [{ $getField: { field: literal(key), input: "$labels" } }, literal(value)],
          })),
        },
      };
      return model.find(filter).sort({ _id: 1 }).limit(limit).lean<PodDocument[]>();
    },
  };
}

const fresh = {
  status: "created",
  deleteBegun: false,
  namespaceUid: null,
  deploymentUid: null,
  podName: null,
  podUid: null,
  differs: [],
  updated: [],
  service: { access: null, nodePort: null, accessUrl: null, ports: [] },
  error: null,
  cause: null,
  drifted: [],
  marks: null,
  reconciling: null,
  restarts: null,
  networkEnforced: null,
  startedAt: null,
  stoppedAt: null,
  observedAt: null,
} satisfies PodPatch & { reconciling: null };

/** Values of fields, taken as they are. */
export function literals(values: object): object {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, literal(value)]));
}
