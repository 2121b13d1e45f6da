import type { DueDelivery } from "@podq/store";

/** What a webhook says: which job ended and how. The same bytes at every try; no variables, no input, no output. */
export function webhookBody(job: DueDelivery): string {
  const { _id: id, kind, owner, name, state, error, labels, retryOf, createdAt, startedAt, endedAt } = job;
  const { exitCode = null } = (kind === "exec" ? (job.result ?? {}) : {}) as { exitCode?: number | null };
  const data = { id, kind, owner, name, state, exitCode, error, labels, retryOf, createdAt, startedAt, endedAt };
  return JSON.stringify({ type: "job.ended", timestamp: endedAt, data });
}
