import {
  jobStates,
  kinds,
  signalAnswers,
  signalNames,
  unfinishedStates,
  type Failure,
  type JobState,
  type Kind,
  type Owner,
  type Params,
  type SignalRecord,
  type TemplateVersion,
} from "@podq/jobs";
import { Schema, type SchemaDefinition, type mongo } from "mongoose";
import { callbackSchema, type Callback } from "./callback.ts";
import type { Digest } from "./digest.ts";

/** One try of a job by one worker. `why` says in words why it ended. */
export type Attempt = { n: number; worker: string; startedAt: Date; endedAt: Date | null; why: string | null };

/** One step of a record's life, as a follower sees it. */
export type JobEvent = { version: number; at: Date; state: JobState; attempt: number };

/** The pod that an exec's command may have been started in. `guess`: taken from an earlier exec at the claim, and not looked at yet. */
export type Target = { podName: string; podUid: string; guess?: boolean };

/** A job as it is stored; `_id` is its id. */
export type JobDocument = {
  _id: string;
  kind: Kind;
  owner: Owner;
  name: string;
  podKey: string;
  /** Its place in line: given by the server's logical clock at the insert. */
  seq: mongo.Timestamp;
  state: JobState;
  parallel: boolean;
  /** What a create with a template is made from; its params are what it gives itself. */
  template?: TemplateVersion;
  /** As asked, `env` only until the end. */
  params: Params<Kind>;
  /** Names of its variables, which stay when their values have gone. */
  envNames: string[];
  /** Bytes of stdin that were given whole, 0 of a stream; null if there is none. */
  stdinBytes: number | null;
  /** Counts the signs of life of whoever writes a stdin that is fed while the command runs; null if none is. */
  stdinBeat: number | null;
  labels: Record<string, string>;
  idempotencyKey: string | null;
  digest: Digest;
  retryOf: string | null;
  /** BullMQ's id of a job that came in plainly, where it differs from the job's. */
  dispatchId: string | null;
  deadlineAt: Date;
  maxAttempts: number;
  attempt: number;
  attempts: Attempt[];
  /** Which start of the command this is; grows only when a retryable exec is started anew. */
  run: number;
  target: Target | null;
  notBefore: Date | null;
  cancel: { at: Date; reason: string } | null;
  /** What its command was to be sent: the last hundred. */
  signals: SignalRecord[];
  worker: string | null;
  leaseUntil: Date | null;
  /** The pod in whose line it is, until its end. */
  line?: string;
  turn?: string[];
  /** Which call of a worker made the attempt: it makes many claims in one write, which does not say which of them took. */
  ticket: string | null;
  /** It ended without a worker, and BullMQ may have it parked still: until the sweeper has seen to that. */
  parked?: true;
  /** Of the enqueue, where that was traced: what works on it goes on there. */
  traceparent?: string;
  /** Where its end is told; a job that nobody is to be told of has none. */
  callback?: Callback;
  result: unknown;
  error: Failure | null;
  version: number;
  history: JobEvent[];
  createdAt: Date;
  startedAt: Date | null;
  endedAt: Date | null;
  updatedAt: Date;
  expiresAt: Date | null;
};

const optional = (type: unknown): object => ({ type, default: null });
const part = (fields: SchemaDefinition): Schema => new Schema(fields, { _id: false });

export const jobSchema = new Schema<JobDocument>(
  {
    _id: { type: String, required: true },
    kind: { type: String, enum: kinds, required: true },
    owner: { type: Schema.Types.Mixed, required: true },
    name: { type: String, required: true },
    podKey: { type: String, required: true },
    seq: { type: Schema.Types.Mixed, required: true },
    state: { type: String, enum: jobStates, required: true },
    parallel: { type: Boolean, required: true },
    template: { type: part({ name: String, version: Number }), default: undefined },
    params: { type: Schema.Types.Mixed, required: true },
    envNames: { type: [String], required: true },
    stdinBytes: optional(Number),
    stdinBeat: optional(Number),
    labels: { type: Schema.Types.Mixed, required: true },
    idempotencyKey: optional(String),
    digest: { type: part({ key: String, value: String }), required: true },
    retryOf: optional(String),
    dispatchId: optional(String),
    deadlineAt: { type: Date, required: true },
    maxAttempts: { type: Number, required: true },
    attempt: { type: Number, required: true },
    attempts: { type: [part({ n: Number, worker: String, startedAt: Date, endedAt: Date, why: String })], required: true },
    run: { type: Number, required: true },
    target: optional(part({ podName: String, podUid: String, guess: Boolean })),
    notBefore: optional(Date),
    cancel: optional(part({ at: Date, reason: String })),
    signals: {
      type: [
        part({
          n: Number,
          signal: { type: String, enum: signalNames },
          at: Date,
          answer: { type: String, enum: [...signalAnswers, null] },
        }),
      ],
      required: true,
    },
    worker: optional(String),
    leaseUntil: optional(Date),
    line: { type: String, default: undefined },
    turn: { type: [String], default: undefined },
    ticket: optional(String),
    parked: { type: Boolean, default: undefined },
    traceparent: { type: String, default: undefined },
    callback: { type: callbackSchema, default: undefined },
    result: optional(Schema.Types.Mixed),
    error: optional(part({ code: String, message: String })),
    version: { type: Number, required: true },
    history: { type: [part({ version: Number, at: Date, state: String, attempt: Number })], required: true },
    createdAt: { type: Date, required: true },
    startedAt: optional(Date),
    endedAt: optional(Date),
    updatedAt: { type: Date, required: true },
    expiresAt: optional(Date),
  },
  { collection: "jobs", versionKey: false, minimize: false, strict: "throw", strictQuery: "throw", autoIndex: false, autoCreate: false },
);

const unfinished = { state: { $in: unfinishedStates } };

/** The index of the lines of pods: each line's jobs in their order. */
export const lineIndex = "in-line";

// The line of a pod; the turn that makes a claim exclusive; the idempotency key. The last two are promises, not speed.
jobSchema.index({ line: 1, seq: 1 }, { name: lineIndex, partialFilterExpression: { line: { $exists: true } } });
jobSchema.index({ turn: 1 }, { name: "turn", unique: true, partialFilterExpression: { turn: { $exists: true } } });
jobSchema.index(
  { podKey: 1, idempotencyKey: 1 },
  { name: "idempotency", unique: true, partialFilterExpression: { idempotencyKey: { $type: "string" } } },
);
jobSchema.index({ parked: 1 }, { name: "parked", partialFilterExpression: { parked: true } });
jobSchema.index({ "callback.dueAt": 1 }, { name: "callback", partialFilterExpression: { "callback.dueAt": { $type: "date" } } });
jobSchema.index({ deadlineAt: 1 }, { name: "deadline", partialFilterExpression: unfinished });
jobSchema.index({ podKey: 1, createdAt: -1 }, { name: "of-pod" });
jobSchema.index({ createdAt: -1, _id: -1 }, { name: "newest" });
jobSchema.index({ expiresAt: 1 }, { name: "ttl", expireAfterSeconds: 0 });
