// Records as they travel in JSON: written by the API, read by whoever calls it. Dates are ISO 8601 texts on the way.
import { z } from "zod";
import { kinds, type TemplateBody } from "./catalog.ts";
import { codes } from "./codes.ts";
import { deliveryStates } from "./delivery.ts";
import { signalAnswers, signalNames } from "./signals.ts";
import { access } from "./ports.ts";
import { jobStates, podStatuses } from "./states.ts";

const date = z.codec(z.iso.datetime(), z.date(), { decode: (text) => new Date(text), encode: (moment) => moment.toISOString() });
const someDate = date.nullable();
const count = z.int().min(0);
const failure = { code: z.enum(codes), message: z.string() };
const labels = z.record(z.string(), z.string());
const owner = z.union([z.object({ project: z.string() }), z.object({ conversation: z.string() })]);

/** A pod's record. */
export const podWire = z
  .object({
    owner,
    name: z.string(),
    status: z.enum(podStatuses),
    generation: count,
    namespace: z.string(),
    namespaceUid: z.string().nullable(),
    podName: z.string().nullable(),
    podUid: z.string().nullable(),
    differs: z.array(z.string()),
    updated: z.array(z.string()),
    image: z.string(),
    resources: z.object({ memory: z.string(), cpu: z.string(), memoryRequests: z.string(), cpuRequests: z.string() }),
    service: z.object({
      access: access.nullish(), // what was recorded before there were such has none of these
      nodePort: count.nullable(),
      accessUrl: z.string().nullable(),
      ports: z.array(
        z.object({
          name: z.string(),
          port: count,
          protocol: z.enum(["TCP", "UDP"]).nullish(),
          nodePort: count.nullable(),
          url: z.string().nullish(),
        }),
      ),
    }),
    host: z.object({ name: z.string(), address: z.string(), port: count, username: z.string() }),
    error: z.object({ ...failure, at: date }).nullable(),
    template: z.object({ name: z.string(), version: count }).nullable(),
    cause: z
      .object({ ...failure, at: date })
      .nullable()
      .meta({ description: "Why it is as it is, where that was no job's doing." }),
    networkEnforced: z.boolean().nullable(),
    restarts: z
      .object({
        count,
        last: z.object({ reason: z.string(), exitCode: z.int(), message: z.string(), startedAt: date, at: date }).nullable(),
      })
      .nullable(),
    labels,
    expiry: z.object({ ttlAt: someDate, idleAfterMs: count.nullable(), onIdle: z.enum(["stop", "delete"]), usedAt: date }).nullable(),
    version: count,
    createdAt: date,
    updatedAt: date,
    startedAt: someDate,
    stoppedAt: someDate,
    observedAt: someDate,
  })
  .meta({ title: "Pod", description: "What is recorded of a pod." });

/** A host, as the workers see it. */
export const hostWire = z
  .object({
    name: z.string(),
    address: z.string(),
    port: count,
    username: z.string(),
    labels,
    weight: z.number(),
    capacity: count.nullable(),
    drained: z.boolean(),
    whenDown: z.enum(["wait", "fail"]).nullable(),
    pods: count,
    up: z.boolean().nullable(),
    error: z.object({ ...failure, at: date }).nullable(),
    seenAt: someDate,
    lookedAt: date,
    network: z.object({ enforced: z.boolean().nullable(), detail: z.string(), at: date }).nullable(),
  })
  .meta({ title: "Host", description: "A host on which pods are placed, and what the workers last saw of it." });

const exec = z.object({
  exitCode: count.nullable(),
  signal: z.enum(signalNames).nullable(),
  stdoutBytes: count,
  stderrBytes: count,
  atLeast: z.boolean(),
  truncated: z.boolean(),
  leftRunning: count.nullable(),
  unverified: z.boolean(),
  startedAt: someDate,
  endedAt: someDate,
  attached: count,
  weaker: z.array(z.string()),
});

const delivery = z.object({
  id: z.string(),
  url: z.string(),
  state: z.enum(deliveryStates),
  tries: count,
  nextAt: someDate,
  log: z.array(z.object({ n: count, at: date, endedAt: someDate, status: count.nullable(), error: z.string().nullable() })),
});

/** Where a job stands. */
export const jobWire = z
  .object({
    id: z.string(),
    kind: z.enum(kinds),
    owner,
    name: z.string(),
    state: z.enum(jobStates),
    position: count.nullable(),
    attempts: z.array(z.object({ n: count, worker: z.string(), startedAt: date, endedAt: someDate, why: z.string().nullable() })),
    error: z.object(failure).nullable(),
    run: count,
    signals: z.array(z.object({ n: count, signal: z.enum(signalNames), at: date, answer: z.enum(signalAnswers).nullable() })),
    labels,
    retryOf: z.string().nullable(),
    callback: delivery.nullable(),
    version: count,
    createdAt: date,
    startedAt: someDate,
    endedAt: someDate,
  })
  .meta({ title: "Job", description: "Where a job stands." });

/** A job with what came of it: the pod for create and delete, what is known of the command for an exec, null before its end. */
export const jobWithResultWire = jobWire
  .extend({ result: z.union([podWire, exec]).nullable() })
  .meta({ title: "JobWithResult", description: "Where a job stands and what came of it; an exec's output is at .../output." });

/** What came of the delete of all pods of an owner. */
export const ownerDeletionWire = z
  .object({ jobs: z.array(jobWire), failed: z.array(z.object({ name: z.string(), ...failure })) })
  .meta({ title: "OwnerDeletion", description: "The deletes that were accepted, and the pods whose delete was not." });

// As it was checked when it was saved; its schema is that of the request, whose words for argvs do not all stand in a response.
const templateBody = z.looseObject({}) as unknown as z.ZodType<TemplateBody, TemplateBody>;

/** One version of a template. */
export const templateWire = z
  .object({ name: z.string(), version: count, body: templateBody, createdAt: date })
  .meta({ title: "TemplateVersion", description: "One version of a template, which never changes." });
