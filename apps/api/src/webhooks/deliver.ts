import { setTimeout as delay } from "node:timers/promises";
import { deliveryNudges } from "@podq/client/line";
import type { Context } from "@podq/client/handles";
import type { DeliveryOutcome, DueDelivery } from "@podq/store";
import type { Logger } from "pino";
import { webhookBody } from "./body.ts";
import { post, PostError, type Answer, type PostOptions } from "./post.ts";
import { defaultSchedule, outcomeOfTry, type Schedule } from "./schedule.ts";
import type { Signer } from "./signing.ts";

/** How deliveries are sent. `told`: what came of each try. */
export type DeliveryOptions = {
  signer: Signer;
  post: PostOptions;
  schedule?: Schedule;
  leaseMs?: number;
  log: Logger;
  told?: (state: DeliveryOutcome["state"]) => void;
};

// One receiver that does not answer must not hold up the others.
const atOnce = 64;
const atOncePerOrigin = 8;
const lookMs = 2_000;
const pauseMs = 1_000;

/**
 * Sends the deliveries that are due, until it is stopped: found at a nudge, and every two seconds anyway. Any number of processes may
 * do so. A try is recorded after it: one whose sender died in between is made again, so a receiver may hear of a job twice,
 * under the same delivery id.
 */
export async function startDeliveries(
  { store, listener }: Pick<Context, "store" | "listener">,
  { signer, post: how, schedule = defaultSchedule, leaseMs = 60_000, log, told: tell }: DeliveryOptions,
): Promise<{ stop: () => Promise<void> }> {
  const stop = new AbortController();
  const underWay = new Set<Promise<void>>();
  const origins = new Map<string, number>();
  let due = true;
  let wake: (() => void) | undefined;
  const look = (): void => {
    due = true;
    wake?.();
  };

  const send = async (job: DueDelivery): Promise<void> => {
    const { _id, callback } = job;
    const body = webhookBody(job);
    const headers = { ...signer.headersOf({ ...callback, at: new Date(), body }), "user-agent": "podq" };
    let answer: Answer | undefined;
    let error: string | null = null;
    try {
      answer = await post({ url: callback.url, headers, body }, how);
    } catch (thrown) {
      if (!(thrown instanceof PostError)) throw thrown;
      error = `${thrown.code}: ${thrown.message}`;
    }
    const { status = null, retryAfterMs = null } = answer ?? {};
    const outcome = outcomeOfTry({ n: callback.tries, status, error, retryAfterMs }, schedule, Math.random());
    tell?.(outcome.state);
    const kept = await store.webhooks.record(job, outcome);
    const told = { job: _id, delivery: callback.id, try: callback.tries, status, error, state: outcome.state, kept };
    if (outcome.state === "delivered") log.debug(told, "webhook");
    else log.warn(told, outcome.state === "failed" ? "a webhook was given up" : "a webhook failed and is tried again");
  };

  const start = (job: DueDelivery): void => {
    const { origin } = job.callback;
    origins.set(origin, (origins.get(origin) ?? 0) + 1);
    const sending = send(job)
      .catch((error: unknown) => log.warn({ err: error, job: job._id }, "a webhook's try could not be recorded; it is made again"))
      .finally(() => {
        underWay.delete(sending);
        const left = (origins.get(origin) ?? 1) - 1;
        if (left === 0) origins.delete(origin);
        else origins.set(origin, left);
        look(); // what waited for this place
      });
    underWay.add(sending);
  };

  const full = (): string[] => [...origins].filter(([, count]) => count >= atOncePerOrigin).map(([origin]) => origin);
  const startAllDue = async (): Promise<void> => {
    while (underWay.size < atOnce && !stop.signal.aborted) {
      const job = await store.webhooks.take(leaseMs, full());
      if (job === null) return;
      start(job);
    }
  };

  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      due = false;
      try {
        await startAllDue();
      } catch (error) {
        log.warn({ err: error }, "due webhooks could not be looked for");
        await delay(pauseMs, undefined, { signal: stop.signal }).catch(() => undefined);
        continue;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      if (!due) await promise;
    }
  };

  const stopListening = await listener.onNudge(deliveryNudges, look);
  const timer = setInterval(look, lookMs);
  const running = run();
  return {
    async stop() {
      stop.abort();
      clearInterval(timer);
      stopListening();
      look();
      await running;
      await Promise.all(underWay);
    },
  };
}
