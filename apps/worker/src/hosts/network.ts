import { tryEnforcement, type Enforcement } from "@podq/kube";
import type { Store } from "@podq/store";
import type { Logger } from "pino";
import { startDuty } from "../duty.ts";
import type { WorkHost } from "./open.ts";

/** Options of {@link startNetworkTrials}: `image` is what the trial's pod is made of, and `everyMs` lies between two looks at whether one is due. */
export type NetworkTrialOptions = {
  hosts: readonly Pick<WorkHost, "name" | "way">[];
  store: Pick<Store, "hosts" | "leases">;
  installation: string;
  image: string;
  worker: string;
  everyMs: number;
  log: Logger;
};

const dueAfterMs = 24 * 3_600_000;
const dueAfterFailureMs = 600_000;
const tryWithinMs = 120_000;

/** Whether it is time to try again what came of the last trial. */
export function isTrialDue(last: { enforced: boolean | null; at: Date } | null, now: Date): boolean {
  return last === null || now.getTime() - last.at.getTime() >= (last.enforced === null ? dueAfterFailureMs : dueAfterMs);
}

/** Tries on one host whether its cluster's network enforces NetworkPolicies, and records it. */
export async function tryNetwork(
  { name, way }: Pick<WorkHost, "name" | "way">,
  { store, installation, image, signal }: { store: Pick<Store, "hosts">; installation: string; image: string; signal?: AbortSignal },
): Promise<Enforcement> {
  const found = await tryEnforcement({ ...way, installation, image, timeoutMs: tryWithinMs, ...(signal && { signal }) });
  if (signal?.aborted !== true) await store.hosts.triedNetwork(name, found);
  return found;
}

/** Has it tried on each host once a day, by one worker at a time. */
export function startNetworkTrials({ hosts, store, installation, image, worker, everyMs, log }: NetworkTrialOptions): { stop: () => void } {
  const duties = hosts.map((host) =>
    startDuty({ duty: `network/${host.name}`, leases: store.leases, worker, everyMs, log }, async (signal) => {
      if (!isTrialDue(await store.hosts.network(host.name), new Date())) return;
      const { enforced, detail } = await tryNetwork(host, { store, installation, image, signal });
      if (!signal.aborted) log[enforced === true ? "info" : "warn"]({ host: host.name, enforced }, `pods' network: ${detail}`);
    }),
  );
  // Not waited for: a kubectl that hangs is no reason to hand over jobs any later.
  return { stop: () => duties.forEach((duty) => void duty.stop()) };
}
