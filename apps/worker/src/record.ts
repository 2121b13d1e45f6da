import { checkCallback, pinnedTemplate } from "@podq/client/line";
import {
  callbackUrlSchema,
  isKind,
  ownerSchema,
  parseRequest,
  podKey,
  podNameSchema,
  RequestError,
  type Code,
  type JobRequest,
} from "@podq/jobs";
import { plainJobId, type Consumer, type Delivery, type DispatchData, type Summary } from "@podq/queue";
import { StoreError, type JobDocument, type Store } from "@podq/store";
import { z } from "zod";
import { activeTrace } from "./trace.ts";

/** What a delivery turned out to be: a job of a pod, which `free` says need not look at the line, or one that never will be one. */
export type Recorded = ({ kind: "job" } & Found) | { kind: "none"; summary: Summary };

/** Which job it is. */
export type Found = { id: string; podKey: string; free: boolean };

const ours = z.looseObject({
  v: z.literal(1),
  jobId: z.string().min(1).max(200),
  owner: ownerSchema,
  name: podNameSchema,
  free: z.boolean().optional(),
});

/**
 * Finds the job of a delivery. A job that some other BullMQ client added is accepted here, by recording it; the older ones of
 * the same pod that other workers have taken, and may not have recorded yet, are recorded before it, so that the order in
 * which they were added is the order of the line.
 */
export async function recordDelivery(store: Store, consumer: Pick<Consumer, "active">, delivery: Delivery): Promise<Recorded> {
  const data = ours.safeParse(delivery.data);
  if (data.success) {
    const { jobId, owner, name, free = false }: DispatchData = data.data;
    return { kind: "job", id: jobId, podKey: podKey(owner, name), free };
  }
  const known = await store.jobs.get(plainJobId(delivery));
  if (known !== null) return found(known);
  const key = keyOf(delivery);
  if (key !== null)
    for (const other of await consumer.active()) {
      if (other.dispatchId === delivery.dispatchId) break; // the list is in the order in which jobs were taken
      if (keyOf(other) === key) await recordPlain(store, other);
    }
  return recordPlain(store, delivery);
}

async function recordPlain(store: Store, delivery: Delivery): Promise<Recorded> {
  const jobId = plainJobId(delivery);
  const { kind, dispatchId, data } = delivery;
  try {
    if (!isKind(kind))
      throw new RequestError(
        "invalid-request",
        `there is no kind of job ${JSON.stringify(kind.slice(0, 100))}; the name of a BullMQ job is its kind`,
      );
    const request: JobRequest = parseRequest(kind, data);
    if (request.callback !== null) await checkCallback(store, request.callback.url);
    const template = await pinnedTemplate(store, request);
    if (request.stdin instanceof Uint8Array) await store.input.put(jobId, request.stdin);
    return found((await store.jobs.insert(jobId, request, { dispatchId, ...(template && { template }), ...activeTrace() })).job);
  } catch (error) {
    const code = refusalCode(error);
    if (code === null) throw error;
    const message = (error as Error).message;
    const address = addressOf(delivery);
    if (address !== null)
      await store.jobs.refuse(jobId, { ...address, callback: await usableCallback(store, data) }, { code, message }, dispatchId);
    return { kind: "none", summary: { jobId, state: "failed", code, message } };
  }
}

// Whoever asked to be told is told of a refusal too, if that part of his request was right.
async function usableCallback(store: Store, data: unknown): Promise<JobRequest["callback"]> {
  const { success, data: url } = callbackUrlSchema.safeParse((data as Record<string, unknown>).callbackUrl);
  if (!success) return null;
  try {
    await checkCallback(store, url);
    return { url, token: null };
  } catch (error) {
    if (error instanceof RequestError) return null;
    throw error;
  }
}

function found({ _id, podKey }: JobDocument): Recorded {
  return { kind: "job", id: _id, podKey, free: false };
}

function refusalCode(error: unknown): Code | null {
  if (error instanceof RequestError) return error.code;
  return error instanceof StoreError && (error.code === "conflict" || error.code === "backlog-full") ? error.code : null;
}

function keyOf(delivery: Delivery): string | null {
  const address = addressOf(delivery);
  return address === null || ours.safeParse(delivery.data).success ? null : podKey(address.owner, address.name);
}

// Whose job it would be, whether or not the rest of it is right.
function addressOf({ kind, data }: Delivery): Pick<JobRequest, "kind" | "owner" | "name"> | null {
  if (!isKind(kind) || typeof data !== "object" || data === null) return null;
  try {
    const { owner, name } = data as Record<string, unknown>;
    const checked = parseRequest("delete", { owner, ...(name === undefined ? {} : { name }) });
    return { kind, owner: checked.owner, name: checked.name };
  } catch {
    return null;
  }
}
