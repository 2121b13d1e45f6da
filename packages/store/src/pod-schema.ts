import { podStatuses, type Failure, type Owner, type PodStatus, type TemplateVersion } from "@podq/jobs";
import { Schema, type SchemaDefinition } from "mongoose";

/** Figures of a pod's container, as Kubernetes quantities. */
export type Resources = { memory: string; cpu: string; memoryRequests: string; cpuRequests: string };

/** What names a pod's objects on the cluster. */
export type ClusterIdentity = {
  installation: string;
  kind: "project" | "conversation";
  id: string;
  name: string;
  generation: number;
  hash: string;
  namespace: string;
  deployment: string;
  service: string;
};

/** What of its owner's limits a pod takes up, as Kubernetes quantities. */
export type Reserved = Pick<Resources, "memory" | "cpu">;

/**
 * When a pod ends by itself. `ttlAt` is a deadline; being idle is counted from its last use: a job of it that ended, or `usedAt`, the
 * last report of use. `lookAt` is when to look at that again, never later than it may be due; `firedAt`: when `ttlAt` was acted upon.
 */
export type Expiry = {
  ttlAt: Date | null;
  idleAfterMs: number | null;
  onIdle: "stop" | "delete";
  usedAt: Date;
  lookAt: Date | null;
  firedAt: Date | null;
};

/** How a pod is reached: `accessUrl` is the URL of its first port that has one. Null: recorded before there was such a thing. */
type PublishedPorts = {
  access: "nodePort" | "clusterIP" | "ingress" | null;
  nodePort: number | null;
  accessUrl: string | null;
  ports: { name: string; port: number; protocol: "TCP" | "UDP" | null; nodePort: number | null; url: string | null }[];
};

/** A pod as it is stored; `_id` is its key, `project/p1/default`. Times are null until they are known. */
export type PodDocument = {
  _id: string;
  owner: Owner;
  name: string;
  status: PodStatus;
  /** How often this pod was made anew after a delete. */
  generation: number;
  namespace: string;
  namespaceUid: string | null;
  /** Names of its objects on the cluster, as they were made: never computed again. */
  identity: ClusterIdentity;
  /** Whether a delete of this generation has begun: the next create makes the next one, whatever became of the delete. */
  deleteBegun: boolean;
  deploymentUid: string | null;
  podName: string | null;
  podUid: string | null;
  /** Fields that the latest create asked otherwise than the pod that was already there has them. */
  differs: string[];
  /** Fields that the latest create changed of the pod that was already there. */
  updated: string[] | null;
  image: string;
  /** What it was made from; null: by what its create said alone. */
  template: TemplateVersion | null;
  resources: Resources;
  /** What counts against its owner's limits while it is not deleted; null: nothing; of a record from before there were any: its resources. */
  reserved?: Reserved | null;
  service: PublishedPorts;
  host: { name: string; address: string; port: number; username: string };
  error: (Failure & { at: Date }) | null;
  /** Why it is as it is, where that was no job's doing: why it was replaced or started again, who changed it. */
  cause: (Failure & { at: Date }) | null;
  /** Fields of its spec that somebody else has changed on the cluster since a job last wrote or read them. */
  drifted: string[];
  /** What those fields were then, as short marks; null: not known. */
  marks: Record<string, string> | null;
  /** A word of the reconciler's, which is about to write to the record. A job that finds it under its turn takes it away, and so keeps it from that. */
  reconciling: string | null;
  /** Whether the cluster's network keeps its fence, as it was found by trying; null: not known. */
  networkEnforced: boolean | null;
  /** How often the container of the present pod was started anew, and how its last life went; null until it is known. */
  restarts: { count: number; last: { reason: string; exitCode: number; message: string; startedAt: Date; at: Date } | null } | null;
  labels: Record<string, string>;
  /** When it ends by itself; null: never. */
  expiry: Expiry | null;
  /** Runs in the pod whose job is over but whose end nobody saw: `<jobId>.<run>`. The next job there ends them first. */
  unsettled: string[];
  version: number;
  history: { version: number; at: Date; status: PodStatus; generation: number; code: string | null }[];
  createdAt: Date;
  updatedAt: Date;
  startedAt: Date | null;
  stoppedAt: Date | null;
  observedAt: Date | null;
};

const optional = (type: unknown): object => ({ type, default: null });
const part = (fields: SchemaDefinition): Schema => new Schema(fields, { _id: false });

export const podSchema = new Schema<PodDocument>(
  {
    _id: { type: String, required: true },
    owner: { type: Schema.Types.Mixed, required: true },
    name: { type: String, required: true },
    status: { type: String, enum: podStatuses, required: true },
    generation: { type: Number, required: true },
    namespace: { type: String, required: true },
    namespaceUid: optional(String),
    identity: { type: Schema.Types.Mixed, required: true },
    deleteBegun: { type: Boolean, required: true },
    deploymentUid: optional(String),
    podName: optional(String),
    podUid: optional(String),
    differs: { type: [String], required: true },
    updated: optional([String]),
    image: { type: String, required: true },
    template: optional(part({ name: String, version: Number })),
    resources: { type: part({ memory: String, cpu: String, memoryRequests: String, cpuRequests: String }), required: true },
    reserved: { type: part({ memory: String, cpu: String }), default: undefined },
    service: {
      type: part({
        access: optional(String),
        nodePort: Number,
        accessUrl: String,
        ports: [part({ name: String, port: Number, protocol: optional(String), nodePort: Number, url: optional(String) })],
      }),
      required: true,
    },
    host: { type: part({ name: String, address: String, port: Number, username: String }), required: true },
    error: optional(part({ code: String, message: String, at: Date })),
    cause: optional(part({ code: String, message: String, at: Date })),
    drifted: { type: [String], default: [] },
    marks: optional(Schema.Types.Mixed),
    reconciling: optional(String),
    networkEnforced: optional(Boolean),
    restarts: optional(
      part({ count: Number, last: optional(part({ reason: String, exitCode: Number, message: String, startedAt: Date, at: Date })) }),
    ),
    labels: { type: Schema.Types.Mixed, required: true },
    expiry: optional(part({ ttlAt: Date, idleAfterMs: Number, onIdle: String, usedAt: Date, lookAt: Date, firedAt: Date })),
    unsettled: { type: [String], required: true },
    version: { type: Number, required: true },
    history: { type: [part({ version: Number, at: Date, status: String, generation: Number, code: String })], required: true },
    createdAt: { type: Date, required: true },
    updatedAt: { type: Date, required: true },
    startedAt: optional(Date),
    stoppedAt: optional(Date),
    observedAt: optional(Date),
  },
  { collection: "pods", versionKey: false, minimize: false, strict: "throw", strictQuery: "throw", autoIndex: false, autoCreate: false },
);

podSchema.index({ namespace: 1 }, { name: "namespace", unique: true });
podSchema.index({ "expiry.ttlAt": 1 }, { name: "ttl", partialFilterExpression: { "expiry.ttlAt": { $type: "date" } } });
podSchema.index({ "expiry.lookAt": 1 }, { name: "idle", partialFilterExpression: { "expiry.lookAt": { $type: "date" } } });
podSchema.index({ status: 1, _id: 1 }, { name: "status" });
podSchema.index({ status: 1, "host.name": 1 }, { name: "of-host" });
