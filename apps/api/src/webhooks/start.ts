import { addressRule } from "@podq/jobs";
import type { Context } from "@podq/client/handles";
import type { Logger } from "pino";
import { startDeliveries, type DeliveryOptions } from "./deliver.ts";
import { createSigner } from "./signing.ts";

/** What the settings say: the master key, without which no callback is taken, and ranges of addresses that may be dialled beside the internet's. */
export type WebhookConfig = { key: string | undefined; allow: string[] };

/** Tells whoever enqueues how webhooks are to be here, and begins to send those that are due. */
export async function startWebhooks(
  context: Context,
  { key, allow }: WebhookConfig,
  log: Logger,
  told: NonNullable<DeliveryOptions["told"]>,
): Promise<{ stop: () => Promise<void> }> {
  await context.store.webhooks.configure({ on: key !== undefined, allow });
  if (key === undefined) return { stop: async () => undefined };
  return startDeliveries(context, { signer: createSigner(key), post: { allowed: addressRule(allow) }, log, told });
}
