import type { PodDocument } from "@podq/store";
import { pino } from "pino";
import { expect, it } from "vitest";
import { createReconciler, type ReconcilerOptions } from "./reconciler.ts";

const going = { namespace: "going", held: "", verdict: { kind: "absent" }, replicas: 0, observation: {}, ended: new Map() };
const pod = {
  _id: "project/p/default",
  namespace: "podq-p-1",
  identity: {},
  host: { name: "default" },
  status: "deleting",
  deleteBegun: true,
  namespaceUid: "u",
} as unknown as PodDocument;

/** A reconciler of one pod that is being deleted, whose record says what `now` does. */
function reconcilerOf(now: () => PodDocument | null) {
  const mirror = {
    sight: () => going,
    complete: () => true,
    live: () => true,
    size: () => 0,
    relist: () => undefined,
    stop: async () => undefined,
  };
  const ofHost = async function* (): AsyncGenerator<PodDocument> {
    if (now()?.status === "deleting") yield pod;
  };
  const options = {
    place: { host: pod.host },
    pods: { mirror: async () => mirror, ping: async () => undefined },
    store: {
      pods: { get: async () => now() },
      reconcile: { ofHost, inNamespaces: async () => (now()?.status === "deleting" ? [pod] : []) },
      sightings: { put: async () => undefined },
    },
    changed: () => undefined,
    passEveryMs: 600_000,
    log: pino({ level: "silent" }),
  };
  return createReconciler(options as unknown as ReconcilerOptions);
}

it.each<[string, PodDocument | null]>([
  ["is deleted", { ...pod, status: "deleted" }],
  ["lives on at another host", { ...pod, host: { ...pod.host, name: "other" } }],
  ["is not on record any more", null],
])("trap: a pod that %s is not waited for any more", async (_what, after) => {
  let record: PodDocument | null = pod;
  const reconciler = reconcilerOf(() => record);
  const { signal } = new AbortController();
  await reconciler.tick(signal);
  await expect.poll(async () => reconciler.tick(signal).then(() => reconciler.stats().pending)).toBe(1);
  record = after;
  await reconciler.tick(signal);
  expect(reconciler.stats().pending).toBe(0);
  await reconciler.end();
});
