// A reconciler alone in a process of its own, that says what it costs.
import { setTimeout as pause } from "node:timers/promises";
import { createPods } from "@podq/kube";
import { createHostKeys, createPool, loadKey } from "@podq/ssh";
import { openStore } from "@podq/store";
import { createReconciler } from "@podq/worker/reconciler";
import { pino } from "pino";
import { settingsOf } from "../child.ts";
import { host, installation } from "./pods.ts";

/** Where it works. */
export type ReconcilerSettings = { mongodbUri: string; ssh: { port: number; username: string; privateKey: string; knownHosts: string } };

/** `tell`: its figures are wanted. `pass`: a look at all pods is. */
export type ReconcilerOrder = { order: "tell" | "pass" };

/** Its figures so far: CPU time in ms, heap in MB, the last look at all in ms. */
export type ReconcilerFigures = { cpuMs: number; heapMb: number; objects: number; changes: number; passes: number; passMs: number };

const undo: (() => Promise<unknown>)[] = [];
const settings = await settingsOf<ReconcilerSettings>(async () => {
  for (const one of undo.toReversed()) await one();
});
const { port, username, privateKey, knownHosts } = settings.ssh;
const store = await openStore({ uri: settings.mongodbUri, appName: "podq-bench" });
undo.push(store.close);
const { key } = loadKey({ text: privateKey });
const pool = createPool({ host: "127.0.0.1", port, username, key, hostKeys: createHostKeys({ file: knownHosts }) });
undo.push(async () => pool.close());

let [changes, passes, passMs] = [0, 0, 0];
const reconciler = createReconciler({
  place: { installation, host, accessHost: undefined, journal: "1Gi", labels: {}, capacity: null },
  pods: createPods({ ...pool, installation }),
  store,
  changed: () => undefined,
  passEveryMs: Infinity,
  log: pino({ level: "warn" }),
  observer: {
    reconciled(what) {
      if (what.kind === "change") changes += 1;
      else [passes, passMs] = [passes + 1, what.ms];
    },
  },
});
undo.push(reconciler.end);

const stop = new AbortController();
undo.push(async () => stop.abort());
const tick = async (): Promise<void> => {
  while (!stop.signal.aborted) {
    await reconciler.tick(stop.signal);
    await pause(1_000, undefined, { signal: stop.signal }).catch(() => undefined);
  }
};

process.on("message", ({ order }: ReconcilerOrder) => {
  if (order === "pass") return reconciler.lookAtAll();
  const { user, system } = process.cpuUsage();
  const { objects } = reconciler.stats();
  const figures: ReconcilerFigures = {
    cpuMs: (user + system) / 1_000,
    heapMb: process.memoryUsage().heapUsed / 1e6,
    objects,
    changes,
    passes,
    passMs,
  };
  process.send?.(figures);
});
process.send?.("ready");
await tick();
