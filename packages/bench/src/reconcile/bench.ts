import { setTimeout as pause } from "node:timers/promises";
import { startMongo, type EmbeddedCluster } from "@podq/devstack";
import { useTestCluster } from "@podq/devstack/testing";
import { openStore } from "@podq/store";
import { startChild, type Child } from "../child.ts";
import { startMeter } from "../cpu.ts";
import { BenchError } from "../errors.ts";
import { markdownTable } from "../markdown.ts";
import { residentMb } from "../memory.ts";
import { figure, median } from "../stats.ts";
import { makePods, scale } from "./pods.ts";
import type { ReconcilerFigures, ReconcilerOrder, ReconcilerSettings } from "./worker-child.ts";

/** How many pods there are at each step, of how many somebody changes at a time, looks at all of them that count, and how long nothing happens. */
export type ReconcilePlan = { pods: readonly number[]; changes: readonly number[]; passes: number; calmMs: number };

/** What so many pods cost. CPU times are the reconciler's own, in ms; `machineMs` is that of everything, kubectl and the cluster too. */
type ReconcileStep = {
  pods: number;
  pass: { cpuMs: number; wallMs: number };
  residentMb: number;
  heapMb: number;
  calm: { cpuMsPerSecond: number };
  changes: { changed: number; cpuMs: number; machineMs: number; wallMs: number }[];
};

/** Figures as they were measured, and the table of them. */
export type ReconcileReport = { steps: ReconcileStep[]; table: string };

/** The run whose figures count: some minutes. */
export const fullReconcilePlan: ReconcilePlan = { pods: [500, 1_000, 2_000], changes: [10, 50], passes: 3, calmMs: 10_000 };

/** A run that shows that all of it works, in seconds. */
export const quickReconcilePlan: ReconcilePlan = { pods: [4, 8], changes: [2], passes: 1, calmMs: 2_000 };

const lostMs = 180_000;

/** Measures a reconciler beside more and more pods. Throws BenchError `wrong-result` if records do not follow the cluster. */
export async function benchReconcile(plan: ReconcilePlan, say: (line: string) => void, stop: AbortSignal): Promise<ReconcileReport> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const { embedded, ssh, stop: end } = await useTestCluster({ processes: false, cpus: 1_000 });
    undo.push(end);
    if (embedded === undefined) throw new BenchError("bad-argument", "only the embedded cluster has thousands of pods without processes");
    const mongo = await startMongo();
    undo.push(mongo.stop);
    const mongodbUri = mongo.uri.replace("/?", "/podq?");
    const store = await openStore({ uri: mongodbUri, appName: "podq-bench" });
    undo.push(store.close);
    const steps: ReconcileStep[] = [];
    let made = 0;
    for (const pods of plan.pods) {
      stop.throwIfAborted();
      await makePods(embedded, store, made, pods);
      made = pods;
      say(`${pods} pods are there`);
      const settings: ReconcilerSettings = { mongodbUri, ssh };
      steps.push(await measure(plan, pods, embedded, settings, undo));
      say(`${pods} pods are measured\n${tableOf(steps.slice(-1))}`);
    }
    return { steps, table: tableOf(steps) };
  } finally {
    for (const one of undo.toReversed()) await one();
  }
}

// Each step with a reconciler that begins.
async function measure(
  plan: ReconcilePlan,
  pods: number,
  cluster: EmbeddedCluster,
  settings: ReconcilerSettings,
  undo: (() => Promise<unknown>)[],
): Promise<ReconcileStep> {
  let hear: ((figures: ReconcilerFigures) => void) | undefined;
  const child: Child = await startChild(new URL("./worker-child.ts", import.meta.url), settings, (figures) => hear?.(figures));
  undo.push(child.stop);
  const order = (what: ReconcilerOrder["order"]): void => child.tell({ order: what } satisfies ReconcilerOrder);
  const ask = async (): Promise<ReconcilerFigures> => {
    const heard = new Promise<ReconcilerFigures>((resolve) => (hear = resolve));
    order("tell");
    return Promise.race([heard, child.failed]);
  };
  const until = async (what: string, isSo: (figures: ReconcilerFigures) => boolean): Promise<ReconcilerFigures> => {
    const giveUpAt = performance.now() + lostMs;
    for (;;) {
      const figures = await ask();
      if (isSo(figures)) return figures;
      if (performance.now() > giveUpAt) throw new BenchError("wrong-result", `gave up waiting for ${what}: ${JSON.stringify(figures)}`);
      await pause(100); // each answer costs the reconciler something, too
    }
  };

  const first = await until("the first look at all", ({ passes }) => passes > 0);
  if (first.changes > 0) throw new BenchError("wrong-result", `${first.changes} records were changed of pods that nobody has touched`);
  const passes: ReconcileStep["pass"][] = [];
  for (let n = 0; n < plan.passes; n++) {
    await pause(1_000);
    const [before, from] = [await ask(), performance.now()];
    order("pass");
    const after = await until("a look at all", (figures) => figures.passes > before.passes);
    passes.push({ cpuMs: after.cpuMs - before.cpuMs, wallMs: performance.now() - from });
  }
  const pass = { cpuMs: median(passes.map(({ cpuMs }) => cpuMs)), wallMs: median(passes.map(({ wallMs }) => wallMs)) };
  const calm = await ask();
  await pause(plan.calmMs);
  const { cpuMs, heapMb } = await ask();
  const resident = residentMb(child.pid);

  const changes: ReconcileStep["changes"] = [];
  for (const changed of plan.changes) {
    const some = Array.from({ length: changed }, (_, n) => Math.floor((n * pods) / changed));
    for (const replicas of [0, 1]) {
      const before = await ask();
      const read = startMeter();
      await scale(cluster, some, replicas);
      const after = await until(`${changed} records`, (figures) => figures.changes - before.changes >= changed);
      const { machineMs, wallMs } = read();
      // Scaled up, a pod starts first; what counts is the other way, where all there is to see is there at once.
      if (replicas === 0) changes.push({ changed, cpuMs: after.cpuMs - before.cpuMs, machineMs, wallMs });
    }
  }
  await child.stop();
  return { pods, pass, residentMb: resident, heapMb, calm: { cpuMsPerSecond: (cpuMs - calm.cpuMs) / (plan.calmMs / 1_000) }, changes };
}

function tableOf(steps: readonly ReconcileStep[]): string {
  const changed = steps[0]?.changes.map((one) => one.changed) ?? [];
  const head = ["pods", "a look at all, CPU ms", "wall ms", "resident MB", "heap MB", "idle, CPU ms/s"];
  const more = changed.flatMap((n) => [`${n} changed, CPU ms each`, "machine ms each", "wall ms"]);
  const rows = steps.map(({ pods, pass, residentMb: resident, heapMb, calm, changes }) => [
    String(pods),
    ...[pass.cpuMs, pass.wallMs, resident, heapMb, calm.cpuMsPerSecond].map(figure),
    ...changes.flatMap((one) => [one.cpuMs / one.changed, one.machineMs / one.changed, one.wallMs].map(figure)),
  ]);
  return markdownTable([...head, ...more], rows);
}
