import type { Kind, Params } from "@podq/jobs";
import { KubeError } from "@podq/kube";
import { StoreError, type JobDocument, type PodDocument } from "@podq/store";
import type { Executor, Handler } from "../execute.ts";
import { noSuchPod } from "../handlers/delete.ts";
import { backoffMs, type Outcome } from "../outcome.ts";
import type { HostParts, WorkHost } from "./open.ts";
import type { Placer } from "./placer.ts";
import type { HostSettings } from "./settings.ts";
import type { Shares } from "./shares.ts";
import { governed } from "./when-down.ts";

type Handlers = Executor["handlers"];

/** What a worker's hosts are, and how a pod finds its own. */
export type ByHost = {
  hosts: readonly WorkHost[];
  place: Placer;
  /** What stands for a host on record that is not among these. */
  unknown: (host: PodDocument["host"]) => HostParts;
  handlersOf: (host: HostParts) => Handlers;
  shares?: Pick<Shares, "isFree" | "enter"> | undefined;
};

/**
 * The handlers of each job's own host. A pod's host is on record before anything is made there, and stays until the pod is deleted: only
 * the create that begins a generation chooses one.
 */
export function byHost({ hosts, place, unknown, handlersOf, shares }: ByHost): Handlers {
  const governedBy = (policy: HostSettings["whenDown"], parts: HostParts): Handlers => {
    const made = Object.entries(handlersOf(parts)).map(([kind, handler]) => [kind, governed(policy, handler)]);
    return Object.fromEntries(made) as Handlers;
  };
  const known = new Map(hosts.map((host) => [host.name, governedBy(host.settings.whenDown, host)]));
  const strangers = new Map<string, Handlers>();
  const first = hosts[0]!.name;
  const on = ({ host }: PodDocument): Handlers => {
    const handlers = known.get(host.name) ?? strangers.get(host.name) ?? governedBy("wait", unknown(host));
    if (!known.has(host.name)) strangers.set(host.name, handlers);
    return handlers;
  };

  const placed: Handler = async (attempt) => {
    const { labels = {} } = (attempt.job.params as Params<"create">).placement ?? {};
    for (const full = new Set<string>(); ;) {
      const host = await place(labels, full);
      // A pod whose delete has failed is counted where it is, before anybody knows where it goes.
      const isCounted = attempt.pod !== null && attempt.pod.status !== "deleted" && attempt.pod.host.name === host.name;
      if (!isCounted && shares?.isFree(host.name) === false) return busy(host.name, attempt.job);
      const leave = isCounted ? undefined : shares?.enter(host.name);
      try {
        return await known.get(host.name)!.create(attempt);
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== "host-full") throw error;
        full.add(host.name);
      } finally {
        leave?.();
      }
    }
  };

  // What is kept of a pod is where it was, and so goes the next generation, drained as that host may be.
  const atHome: Handler = async (attempt) => {
    try {
      return await routed("create")(attempt);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "host-full") throw error;
      throw new KubeError("unschedulable", `what was kept of this pod is there, and ${error.message}`, { cause: error });
    }
  };

  // A pod that has lost its record may be anywhere, so that it is gone is for all hosts to say. Each throws where it cannot.
  const deletedEverywhere: Handler = async (attempt) => {
    const outcomes: Outcome[] = [];
    for (const host of known.values()) outcomes.push(await host.delete(attempt));
    return outcomes.find((outcome) => outcome.kind !== "end" || outcome.why !== noSuchPod) ?? outcomes[0]!;
  };

  const routed =
    (kind: Kind): Handler =>
    async (attempt) =>
      attempt.pod === null ? known.get(first)![kind](attempt) : on(attempt.pod)[kind](attempt);
  return {
    create: async (attempt) => (isNowhere(attempt.pod) ? placed(attempt) : atHome(attempt)),
    exec: routed("exec"),
    stop: routed("stop"),
    start: routed("start"),
    restart: routed("restart"),
    expose: routed("expose"),
    unexpose: routed("unexpose"),
    delete: async (attempt) => (attempt.pod === null ? deletedEverywhere(attempt) : routed("delete")(attempt)),
  };
}

// Of a pod that was deleted nothing is left to stay for, but for a volume that was kept.
function isNowhere(pod: PodDocument | null): boolean {
  if (pod === null) return true;
  const { volume } = pod as PodDocument & { volume?: { kept: boolean } | null };
  return (pod.status === "deleted" || pod.deleteBegun) && volume?.kept !== true;
}

// Put back before anything is recorded of it: it may be placed elsewhere the next time.
function busy(name: string, { attempt }: JobDocument): Outcome {
  const error = { code: "host-unreachable" as const, message: `host ${name} has as many jobs of this worker as it may` };
  return { kind: "retry", delayMs: backoffMs(attempt), error, uncounted: true };
}
