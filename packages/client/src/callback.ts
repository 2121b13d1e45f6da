import { addressRule, literalAddress, RequestError, type JobRequest } from "@podq/jobs";
import type { Store } from "@podq/store";

/** A token's holder: the key of this token signs what he is told, and its callback counts where a request names none. */
export type Asker = { token: string | null; callbackUrl: string | null };

/** The callback of a request, as `by` makes it. */
export function callbackOf({ callback }: Pick<JobRequest, "callback">, by: Asker | undefined): JobRequest["callback"] {
  const url = callback?.url ?? by?.callbackUrl ?? null;
  return url === null ? null : { url, token: callback?.token ?? by?.token ?? null };
}

/** Throws RequestError if nobody would tell of a job's end there: no API here does so, or it may not dial the address that the URL names. */
export async function checkCallback({ webhooks }: Pick<Store, "webhooks">, url: string): Promise<void> {
  const { on, allow } = await webhooks.settings();
  if (!on)
    throw new RequestError(
      "invalid-request",
      "callbackUrl: nobody here tells of jobs' ends; that takes a PODQ_WEBHOOK_KEY for podq api, which has to be started with it",
    );
  const address = literalAddress(url);
  if (address !== null && !addressRule(allow)(address))
    throw new RequestError(
      "invalid-request",
      `callbackUrl: the address ${address} is not one of the internet, and PODQ_WEBHOOK_ALLOW of podq api does not have it`,
    );
}
