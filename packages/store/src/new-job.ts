import { podKey as podKeyOf, type JobRequest } from "@podq/jobs";
import { mongo } from "mongoose";
import { newCallback } from "./callback.ts";
import { canonicalJson, digestOf } from "./digest.ts";
import { isFedLive } from "./input.ts";
import type { JobDocument } from "./job-schema.ts";

/** The record of a job as it is accepted. Its place in line is an empty timestamp, which the server fills at the insert. */
export function newJob(id: string, request: JobRequest, now: Date): JobDocument {
  const podKey = podKeyOf(request.owner, request.name);
  return {
    _id: id,
    kind: request.kind,
    owner: request.owner,
    name: request.name,
    podKey,
    line: podKey,
    seq: new mongo.Timestamp({ t: 0, i: 0 }),
    state: "queued",
    parallel: request.kind === "exec" && request.params.parallel,
    params: request.params,
    envNames: "env" in request.params ? Object.keys(request.params.env ?? {}) : [],
    stdinBytes: request.stdin === "stream" ? 0 : (request.stdin?.byteLength ?? null),
    stdinBeat: isFedLive(request.stdin) ? 0 : null,
    labels: request.labels,
    idempotencyKey: request.idempotencyKey,
    digest: digestOf(digestParts(request)),
    retryOf: null,
    dispatchId: null,
    deadlineAt: new Date(now.getTime() + request.deadlineMs),
    maxAttempts: request.maxAttempts,
    attempt: 0,
    attempts: [],
    run: 1,
    target: null,
    notBefore: null,
    cancel: null,
    signals: [],
    worker: null,
    leaseUntil: null,
    ticket: null,
    result: null,
    error: null,
    version: 1,
    history: [{ version: 1, at: now, state: "queued", attempt: 0 }],
    createdAt: now,
    startedAt: null,
    endedAt: null,
    updatedAt: now,
    expiresAt: null,
    ...newCallback(request.callback),
  };
}

/** The parts of a request that make it the same one or another. */
export function digestParts(request: JobRequest): (string | Uint8Array)[] {
  const { kind, params, stdin } = request;
  return stdin === "stream" ? [canonicalJson([kind, params, stdin])] : [canonicalJson([kind, params]), stdin ?? ""];
}
