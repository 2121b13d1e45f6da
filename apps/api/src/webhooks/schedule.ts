import type { DeliveryOutcome } from "@podq/store";

/** When a delivery is tried again, and how often. */
export type Schedule = { firstMs: number; longestMs: number; tries: number };

/** Twelve tries over about a day: after 5 s, 15 s, 45 s, and so on three times as long, up to 6 h. */
export const defaultSchedule: Schedule = { firstMs: 5_000, longestMs: 6 * 3_600_000, tries: 12 };

/** What follows from a try: 2xx is delivered, 410 is a receiver who wants no more, all else is tried again while there are tries left. */
export function outcomeOfTry(
  { n, status, error, retryAfterMs }: { n: number; status: number | null; error: string | null; retryAfterMs: number | null },
  { firstMs, longestMs, tries }: Schedule,
  random: number,
): DeliveryOutcome {
  const told = { status, error };
  if (status !== null && status >= 200 && status < 300) return { ...told, state: "delivered", retryInMs: null };
  if (status === 410 || n >= tries) return { ...told, state: "failed", retryInMs: null };
  const backoffMs = Math.min(longestMs, firstMs * 3 ** (n - 1)) * (0.75 + random / 2);
  const askedMs = status === 429 || status === 503 ? Math.min(retryAfterMs ?? 0, longestMs) : 0;
  return { ...told, state: "pending", retryInMs: Math.round(Math.max(backoffMs, askedMs)) };
}
