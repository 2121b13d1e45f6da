import { randomUUID } from "node:crypto";
import { ownerDeletionWire, ownerParts } from "@podq/jobs";
import { PodqError } from "../errors.ts";
import type { OwnerDeletion } from "../owner.ts";
import type { DeleteOptions } from "../pod.ts";
import { checked, pairsOf } from "./asked.ts";
import { httpJob } from "./job.ts";
import type { Transport } from "./transport.ts";

/** Deletes all pods of an owner over HTTP: one request, whose key is that of each job. */
export async function httpDeleteOwner(
  transport: Transport,
  given: { project?: string; conversation?: string },
  { idempotencyKey, signal, labels = {}, ...query }: DeleteOptions = {},
): Promise<OwnerDeletion> {
  const { kind, id } = ownerParts(checked(given, "default").owner);
  const answer = await transport.json(`/v1/owners/${kind}/${encodeURIComponent(id)}`, {
    method: "DELETE",
    query: { ...query, label: pairsOf(labels) },
    headers: { "idempotency-key": idempotencyKey ?? randomUUID() },
    signal,
  });
  const { jobs, failed } = ownerDeletionWire.parse(answer);
  return {
    jobs: jobs.map((job) => ({ name: job.name, job: httpJob<"delete">(transport, job.id) })),
    failed: failed.map(({ name, code, message }) => ({ name, error: new PodqError(code, message) })),
  };
}
