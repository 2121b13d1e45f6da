import { createExecs } from "@podq/kube";
import { shuffled } from "../stats.ts";
import type { Scene } from "./scene.ts";
import { runOnSession, type Way } from "./ways.ts";

/** Times in ms of a first command: plain `kubectl exec`, and kube.exec with a session that is not there yet. */
export type Colds = { kubectl: number[]; session: number[] };

/** Runs `true` so many times by each way on a kept connection, in random order. */
export async function measureColds(scene: Scene, plain: Way, times: number, stop: AbortSignal): Promise<Colds> {
  const place = scene.places[0]!;
  const colds: Colds = { kubectl: [], session: [] };
  const by = {
    kubectl: async () => timed(async () => plain.run(place, ["true"], false)),
    session: async () => {
      const execs = createExecs({ open: async (...call) => scene.pool.open(...call) });
      try {
        return await timed(async () => runOnSession(execs, place, ["true"], false));
      } finally {
        await execs.close();
      }
    },
  };
  await Promise.all([by.kubectl(), by.session()]); // both classes of connections are open
  for (let n = 0; n < times; n++)
    for (const which of shuffled(["kubectl", "session"] as const)) {
      stop.throwIfAborted();
      colds[which].push(await by[which]());
    }
  return colds;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}
