import { setTimeout as delay } from "node:timers/promises";
import type { Mirror, Pods } from "@podq/kube";
import type { PodDocument, Store } from "@podq/store";
import type { Logger } from "pino";
import type { Place } from "../handlers/place.ts";
import type { Observer } from "../metrics.ts";
import { decide, keyOf, type Decision } from "./decide.ts";
import { patchesOf, refOf } from "./patches.ts";

/**
 * The pods of one host, and with what their records are kept in agreement. `changed` is told of each record that was written;
 * `passEveryMs` lies between two looks at all of them.
 */
export type ReconcilerOptions = {
  place: Place;
  pods: Pick<Pods, "mirror" | "sight" | "ping">;
  store: Pick<Store, "reconcile" | "sightings"> & { pods: Pick<Store["pods"], "get"> };
  changed: (podKey: string) => void;
  passEveryMs: number;
  log: Logger;
  observer?: Pick<Observer, "reconciled"> | undefined;
};

/** Keeps the records of one host's pods in agreement with its cluster. */
export type Reconciler = {
  /** One step, to be taken every few seconds: says how fresh what is known is, and looks again at what is not settled. */
  tick: (stop: AbortSignal) => Promise<void>;
  /** Lists everything anew and compares all records with it, as it does now and then by itself. */
  lookAtAll: () => void;
  /** How much it has to do, and whether changes arrive. */
  stats: () => { live: boolean; objects: number; pending: number };
  /** Ends its watches. A later tick begins anew. */
  end: () => Promise<void>;
};

type Pending = { key: string; since: number };

const atOnce = 4;
const atOnceNamespaces = 200;
const gatherMs = 100;
const lookAgainMs = 500;
const sightWithinMs = 15_000;
const pingWithinMs = 8_000;
// With more of them unsettled than that, nothing is said of the others either.
const mostExcepted = 1_000;

/** Makes a reconciler. It does nothing before its first tick. */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { place, pods, store, log, observer } = options;
  const touched = new Set<string>();
  const pending = new Map<string, Pending>();
  let mirror: Mirror | undefined;
  let passedAt = -Infinity;
  let passDue = false;
  let working: Promise<void> | undefined;
  let freshening: Promise<void> | undefined;
  let ended = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const isCurrent = (one: Mirror): boolean => mirror === one;

  const wake = (afterMs: number): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      working ??= work()
        .catch((error: unknown) => log.warn({ err: error }, "a look at the pods that have changed failed; there will be another"))
        .finally(() => {
          working = undefined;
          if (touched.size > 0) wake(lookAgainMs);
        });
    }, afterMs);
  };

  const work = async (): Promise<void> => {
    const from = mirror;
    if (from === undefined || !from.complete()) return;
    if (passDue) await pass(from);
    while (touched.size > 0 && isCurrent(from)) {
      const namespaces = [...touched].slice(0, atOnceNamespaces);
      for (const one of namespaces) touched.delete(one);
      try {
        await settle(from, await store.reconcile.inNamespaces(namespaces));
      } catch (error) {
        for (const one of namespaces) touched.add(one);
        throw error;
      }
    }
  };

  // All records beside all objects: what no change has told of.
  const pass = async (from: Mirror): Promise<void> => {
    const beganAt = performance.now();
    let seen = 0;
    let batch: PodDocument[] = [];
    for await (const pod of store.reconcile.ofHost(place.host.name)) {
      seen += 1;
      if (decide(pod, from.sight(refOf(pod))).kind === "agree") pending.delete(pod._id);
      else batch.push(pod);
      if (batch.length < atOnceNamespaces) continue;
      await settle(from, batch);
      batch = [];
    }
    await settle(from, batch);
    passDue = false;
    passedAt = performance.now();
    observer?.reconciled({ kind: "pass", ms: passedAt - beganAt });
    log.debug({ pods: seen, ms: passedAt - beganAt }, "all records were compared with the cluster");
  };

  // Of a pod that is deleted, or lives on at another host, no look tells anything any more.
  const isOurs = ({ host, status }: PodDocument): boolean => host.name === place.host.name && status !== "deleted";

  const settle = async (from: Mirror, all: readonly PodDocument[]): Promise<void> => {
    const due = all.filter((pod) => isOurs(pod) && isDue(pod, decide(pod, from.sight(refOf(pod)))));
    const next = async (): Promise<void> => {
      for (let pod = due.pop(); pod !== undefined && isCurrent(from); pod = due.pop()) {
        const { _id } = pod;
        await confirm(pod).catch((error: unknown) => log.debug({ err: error, pod: _id }, "a pod could not be looked at; it will be again"));
      }
    };
    await Promise.all(Array.from({ length: atOnce }, next));
  };

  const isDue = ({ _id, namespace }: PodDocument, decision: Decision): boolean => {
    if (decision.kind === "agree") {
      pending.delete(_id);
      return false;
    }
    const key = keyOf(decision);
    const held = pending.get(_id);
    const isNew = held?.key !== key;
    const since = isNew ? performance.now() : held.since;
    pending.set(_id, { key, since });
    if (since + decision.afterMs <= performance.now()) return true;
    if (isNew) setTimeout(() => touch([namespace]), decision.afterMs).unref();
    return false;
  };

  // What the mirror shows may be over: nothing is written but by a look that came after the record was read.
  const confirm = async ({ _id }: PodDocument): Promise<void> => {
    const pod = await store.pods.get(_id);
    if (pod === null || (await store.reconcile.isBusy(_id))) return; // the job tells; the next tick looks again
    const sight = await pods.sight(refOf(pod), { signal: ended.signal, timeoutMs: sightWithinMs });
    const decision = decide(pod, sight);
    if (decision.kind === "agree") return void pending.delete(_id);
    if (keyOf(decision) !== pending.get(_id)?.key) return void isDue(pod, decision);
    const written = await store.reconcile.write(pod, ...patchesOf(pod, decision, sight, place));
    if (written === null) return; // a job is at it, or was: the next tick looks again
    pending.delete(_id);
    options.changed(_id);
    const code = written.error?.code ?? written.cause?.code ?? null;
    observer?.reconciled({ kind: "change", status: written.status, code });
    log.info({ pod: _id, from: pod.status, status: written.status, code, drifted: written.drifted }, "the record follows the cluster");
  };

  const touch = (namespaces: readonly string[]): void => {
    if (ended.signal.aborted) return;
    for (const one of namespaces) touched.add(one);
    wake(gatherMs);
  };

  const begin = async (): Promise<void> => {
    passDue = true;
    passedAt = performance.now();
    ended = new AbortController();
    const { signal } = ended;
    const begun = await pods.mirror({ changed: touch, lost: (error) => log.debug({ err: error }, "a watch of the cluster was lost") });
    if (signal.aborted) await begun.stop();
    else mirror = begun;
  };

  const lookAtAll = (): void => {
    if (passDue) return;
    passDue = true;
    mirror?.relist();
  };

  // Not waited for: whoever ticks has a lease to renew, and a host that hangs is no reason to lose it.
  const freshen = async (from: Mirror, signal: AbortSignal): Promise<void> => {
    const askedAt = performance.now();
    await pods.ping({ signal, timeoutMs: pingWithinMs });
    // Changes that were told of before the answer, and what this tick looks at again.
    if (timer !== undefined) await delay(2 * gatherMs, undefined, { signal });
    await working;
    const settled = isCurrent(from) && from.live() && !passDue && touched.size === 0 && pending.size <= mostExcepted;
    if (settled) await store.sightings.put(place.host.name, performance.now() - askedAt, [...pending.keys()]);
  };

  return {
    lookAtAll,
    async tick(stop) {
      if (stop.aborted) return;
      if (mirror === undefined) await begin();
      if (mirror === undefined) return;
      if (performance.now() - passedAt > options.passEveryMs) lookAtAll();
      const unsettled = await Promise.all([...pending.keys()].map(async (key) => [key, await store.pods.get(key)] as const));
      for (const [key, pod] of unsettled) if (pod === null || !isOurs(pod)) pending.delete(key);
      const namespaces = [...new Set(unsettled.flatMap(([key, pod]) => (pod !== null && pending.has(key) ? [pod.namespace] : [])))];
      touch(namespaces); // and the pass that may be due
      freshening ??= freshen(mirror, ended.signal)
        .catch((error: unknown) => log.debug({ err: error }, "it is not said how fresh the records are"))
        .finally(() => (freshening = undefined));
    },
    stats: () => ({ live: mirror?.live() ?? false, objects: mirror?.size() ?? 0, pending: pending.size }),
    async end() {
      const old = mirror;
      mirror = undefined;
      clearTimeout(timer);
      timer = undefined;
      pending.clear();
      touched.clear();
      ended.abort();
      await Promise.all([old?.stop(), working, freshening]);
    },
  };
}
