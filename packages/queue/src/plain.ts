import { createHash } from "node:crypto";
import type { Delivery } from "./consumer.ts";

const plainId = /^[A-Za-z0-9._-]{1,64}$/;

/** The id of the job that a plain BullMQ job is recorded as. BullMQ counts its ids from 1 again after Redis was emptied, so its id alone is none. */
export function plainJobId({ dispatchId, timestamp }: Pick<Delivery, "dispatchId" | "timestamp">): string {
  const id = plainId.test(dispatchId) ? dispatchId : createHash("sha256").update(dispatchId).digest("hex").slice(0, 32);
  return `${id}-${timestamp}`;
}
