/** Where the telling of a job's end stands: `waiting` for that end, `pending` until it is answered, then `delivered`, or `failed` for good. */
export const deliveryStates = ["waiting", "pending", "delivered", "failed"] as const;
/** One of them. */
export type DeliveryState = (typeof deliveryStates)[number];

/** One try. Without `endedAt` it is under way, or whoever sent it died; it may have arrived then. `status` is the HTTP answer's. */
export type DeliveryTry = { n: number; at: Date; endedAt: Date | null; status: number | null; error: string | null };

/** The telling of a job's end to its callback URL. `id` stays the same over all tries. */
export type DeliveryRecord = {
  id: string;
  url: string;
  state: DeliveryState;
  tries: number;
  /** When the next try is due; null if there will be none, or the job has not ended. */
  nextAt: Date | null;
  /** The last twenty tries. */
  log: DeliveryTry[];
};
