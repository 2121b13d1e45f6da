import { clusterId, KubeError } from "@podq/kube";
import type { HostLook, Store } from "@podq/store";
import type { Logger } from "pino";
import { ConfigError } from "../config-error.ts";
import { startDuty } from "../duty.ts";
import { codeOf } from "../outcome.ts";
import type { WorkHost } from "./open.ts";

type Looked = Pick<WorkHost, "name" | "settings" | "way">;

/** Options of {@link startHostLooks}: `hosts` are all of this worker, and `everyMs` lies between two looks at each of them. */
export type LookOptions = {
  hosts: readonly Looked[];
  store: Pick<Store, "hosts" | "leases">;
  worker: string;
  everyMs: number;
  log: Logger;
};

const startsWithinMs = 5_000;
const looksWithinMs = 20_000; // longer than the pool waits for a host that it cannot reach, so that it says so
const toldEveryMs = 60_000;

/** Asks a host for its cluster: `up` if that answered. Never throws. */
async function lookAt({ settings, way }: Looked, timeoutMs: number, signal?: AbortSignal): Promise<HostLook> {
  const { ssh, labels, weight, capacity, drained, whenDown } = settings;
  const known = { address: ssh.host, port: ssh.port, username: ssh.username, labels: { ...labels }, weight, capacity, drained, whenDown };
  try {
    const cluster = await clusterId(way, { timeoutMs, ...(signal && { signal }) });
    return { ...known, cluster, up: true, error: null };
  } catch (error) {
    const code = error instanceof KubeError ? codeOf(error.code) : "internal";
    return { ...known, cluster: null, up: false, error: { code, message: error instanceof Error ? error.message : String(error) } };
  }
}

/** The pairs of hosts that lead to one cluster, each in words: what one made there, the other would take for an orphan. */
export function sharedClusters(found: readonly { name: string; cluster: string | null }[]): string[] {
  return found.flatMap(({ name, cluster }, n) =>
    found
      .slice(n + 1)
      .filter((other) => cluster !== null && other.cluster === cluster && other.name !== name)
      .map((other) => `hosts ${name} and ${other.name} lead to the same cluster (its kube-system has the uid ${cluster})`),
  );
}

/** Throws ConfigError if two of several hosts lead to one cluster. Those that do not answer in five seconds are not waited for. */
export async function refuseSharedClusters(hosts: readonly Looked[]): Promise<void> {
  if (hosts.length < 2) return;
  const looks = await Promise.all(hosts.map(async (host) => ({ name: host.name, ...(await lookAt(host, startsWithinMs)) })));
  const shared = sharedClusters(looks);
  if (shared.length > 0) throw new ConfigError(`wrong settings; PODQ_HOSTS_FILE: ${shared.join("; ")}: name each cluster once`);
}

/**
 * Looks at each host, and writes down what it finds: when that changes, and every minute. One worker at a time has the duty for a host, so
 * that one that hangs holds up no look at another.
 */
export function startHostLooks({ hosts, store, worker, everyMs, log }: LookOptions): { stop: () => void } {
  const duties = hosts.map((host) => {
    let told: { what: string; at: number } | undefined;
    const look = async (signal?: AbortSignal): Promise<void> => {
      const seen = await lookAt(host, looksWithinMs, signal);
      const shared = await sharedWith(host, seen);
      const found = shared === undefined ? seen : { ...seen, error: { code: "conflict" as const, message: shared } };
      const { error, ...rest } = found;
      const what = JSON.stringify([rest, error?.code]);
      if (told?.what === what && performance.now() - told.at < toldEveryMs) return;
      if (told?.what !== what && error !== null) log.warn({ host: host.name, code: error.code }, `host: ${error.message}`);
      await store.hosts.saw(host.name, found);
      told = { what, at: performance.now() };
    };
    const sharedWith = async ({ name }: Looked, { cluster }: HostLook): Promise<string | undefined> => {
      if (cluster === null || hosts.length < 2) return undefined;
      const mine = new Set(hosts.map((one) => one.name));
      const others = (await store.hosts.clusters(new Date(Date.now() - 2 * toldEveryMs))).filter(
        (one) => one.name !== name && mine.has(one.name),
      );
      return sharedClusters([{ name, cluster }, ...others]).find((words) => words.startsWith(`hosts ${name} `));
    };
    void look().catch((error: unknown) => log.warn({ err: error, host: host.name }, "what was seen of a host could not be recorded"));
    return startDuty({ duty: `host/${host.name}`, leases: store.leases, worker, everyMs, log }, look);
  });
  // Not waited for: a kubectl that hangs is no reason to hand over jobs any later.
  return { stop: () => duties.forEach((duty) => void duty.stop()) };
}
