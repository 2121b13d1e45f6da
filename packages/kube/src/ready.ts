import { KubeError } from "./errors.ts";
import { labelled, named, paths } from "./kubectl.ts";
import type { Bounds, Kubectl } from "./kubectl.ts";
import { selectorOf } from "./names.ts";
import type { PodIdentity } from "./names.ts";
import type { Deployment, KubeEvent, Pod } from "./objects.ts";
import { observationOf } from "./observation.ts";
import type { PodObjects, PodObservation } from "./observation.ts";
import { newest, withReasons } from "./restarts.ts";
import { judge } from "./verdict.ts";
import type { Verdict } from "./verdict.ts";
import { watch } from "./watch.ts";

/**
 * Watches what was just applied until it runs. Throws KubeError with the named failure as soon as the cluster knows it, and
 * `start-timeout` when the time is over without one; the error carries the observation.
 */
export async function untilReady(
  kubectl: Kubectl,
  identity: PodIdentity,
  applied: PodObjects & { deployment: Deployment },
  bounds: Bounds,
): Promise<PodObservation> {
  const pods = new Map<string, Pod>();
  let deployment = applied.deployment;
  const generation = applied.deployment.metadata.generation ?? 0;
  const seen = (): PodObjects => ({ ...applied, deployment, pods: [...pods.values()] });

  const decision = Promise.withResolvers<Verdict>();
  const hold = holding(decision.resolve);
  const look = (): void => {
    // A watch may begin with what the API server remembers, which can be older than what was applied.
    if ((deployment.metadata.generation ?? 0) >= generation) hold.consider(judge(deployment, [...pods.values()]));
  };

  const over = new AbortController();
  const watching: Bounds = { signal: over.signal, until: bounds.until };
  const watches = [
    watch<Deployment>(kubectl, paths.deployments(identity.namespace, named(identity.deployment)), watching, {
      event({ type, object }) {
        if (object.metadata.uid !== applied.deployment.metadata.uid) return;
        deployment = object;
        if (type === "DELETED" || object.metadata.deletionTimestamp !== undefined)
          decision.reject(new KubeError("namespace-terminating", `Deployment ${identity.deployment} is being deleted while it starts`));
        else look();
      },
    }),
    watch<Pod>(kubectl, paths.pods(identity.namespace, labelled(selectorOf(identity))), watching, {
      opened: () => pods.clear(),
      event({ type, object }) {
        if (type === "DELETED") pods.delete(object.metadata.uid);
        else pods.set(object.metadata.uid, object);
        look();
      },
    }),
  ];

  try {
    const verdict = await Promise.race([decision.promise, lost(watches), ended(bounds, over.signal)]);
    const last = verdict === "timeout" ? hold.current() : verdict;
    const observation = observationOf(identity, seen(), { verdict: last });
    if (verdict !== "timeout" && verdict.kind === "running") return observation;
    throw await failureOf(kubectl, identity, last, observation);
  } catch (error) {
    if (error instanceof KubeError && error.observation === undefined) throw error.withObservation(observationOf(identity, seen()));
    throw error;
  } finally {
    hold.stop();
    over.abort();
    await Promise.allSettled(watches);
  }
}

// Decides on a verdict once it has been the same for as long as it asks for.
function holding(decide: (verdict: Verdict) => void): { consider(verdict: Verdict): void; current(): Verdict; stop(): void } {
  let held: Verdict = { kind: "starting" };
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    consider(next) {
      const changed = keyOf(next) !== keyOf(held);
      // A later look may know the code but no longer the words.
      held = next.kind === "failed" && held.kind === "failed" && !changed ? { ...next, message: next.message || held.message } : next;
      if (held.kind !== "failed" && held.kind !== "running") return clearTimeout(timer);
      if (held.holdMs === 0) return decide(held);
      if (!changed) return;
      clearTimeout(timer);
      timer = setTimeout(() => decide(held), held.holdMs);
    },
    current: () => held,
    stop: () => clearTimeout(timer),
  };
}

const keyOf = (verdict: Verdict): string => (verdict.kind === "failed" ? verdict.code : verdict.kind);

// Watches only end early because there is no way to the cluster any more.
async function lost(watches: Promise<void>[]): Promise<never> {
  await Promise.all(watches);
  return new Promise<never>(() => undefined);
}

async function ended({ signal, until }: Bounds, over: AbortSignal): Promise<"timeout"> {
  const end = Promise.withResolvers<"timeout">();
  const cancel = (): void => end.reject(new KubeError("cancelled", "the create was cancelled while the pod started"));
  const timer = setTimeout(() => end.resolve("timeout"), Math.max(0, until - performance.now()));
  signal?.addEventListener("abort", cancel);
  if (signal?.aborted) cancel();
  over.addEventListener("abort", () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  });
  return end.promise;
}

// A time-out, ours or the cluster's, names no cause, and one that ends again and again may have been ended by a probe.
async function failureOf(kubectl: Kubectl, identity: PodIdentity, last: Verdict, seen: PodObservation): Promise<KubeError> {
  if (last.kind !== "failed" || last.code === "start-timeout") return whyNotReady(kubectl, identity, seen);
  if (last.code !== "crash-loop") return new KubeError(last.code, last.message || last.code, { observation: seen });
  const observation = await withReasons(kubectl, seen, { until: performance.now() + EVENTS_WITHIN_MS });
  const ended = observation.restarts?.last;
  if (ended?.reason !== "Unhealthy") return new KubeError(last.code, last.message || last.code, { observation });
  return new KubeError("unhealthy", `The container is started anew again and again: ${ended.message}`, { observation });
}

// Causes that stand in no status (a sandbox or a volume that cannot be made, a probe that fails) are in events. Asked for only when
// there is nothing else.
async function whyNotReady(kubectl: Kubectl, identity: PodIdentity, observation: PodObservation): Promise<KubeError> {
  const plain = `${identity.deployment} was not ready in time`;
  const query = ["get", "events", `--namespace=${identity.namespace}`, "--field-selector=type=Warning", "-o", "json"];
  try {
    const { items } = await kubectl.json<{ items: KubeEvent[] }>(query, { until: performance.now() + EVENTS_WITHIN_MS });
    const { reason, message } = newest(items) ?? {};
    if (reason === "Unhealthy") return new KubeError("unhealthy", `${plain}: ${message?.trim()}`, { observation });
    const why = reason === undefined ? plain : `${plain}; the last warning is ${reason}: ${message}`;
    return new KubeError("start-timeout", why, { observation });
  } catch {
    return new KubeError("start-timeout", plain, { observation });
  }
}

const EVENTS_WITHIN_MS = 5_000;
