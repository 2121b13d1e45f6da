import { startMongo, startRedis } from "@podq/devstack";
import { verdict, type Goal } from "../goal.ts";
import { markdownTable } from "../markdown.ts";
import { figure, median, quantile, shuffled } from "../stats.ts";
import { measureFlood, measureWaits, type Flood, type Waits } from "./measure.ts";
import { openRigs, type Rig } from "./rigs.ts";

/** How much is measured. */
export type QueuePlan = {
  rounds: number;
  waits: number;
  pods: number;
  perPod: number;
  atOnce: number;
  workers: number;
  concurrency: number;
};

/** What one line gave, over all rounds. */
type Series = { line: Rig["line"]; name: string; waits: Waits; floods: Flood[] };

/** Figures as they were measured, and the table of them. */
export type QueueReport = { series: Series[]; table: string };

/** The run whose figures count: about two minutes. */
export const fullQueuePlan: QueuePlan = { rounds: 7, waits: 60, pods: 200, perPod: 10, atOnce: 64, workers: 2, concurrency: 64 };

/** A run that shows that all of it works, in seconds. */
export const quickQueuePlan: QueuePlan = { rounds: 1, waits: 5, pods: 10, perPod: 4, atOnce: 8, workers: 2, concurrency: 16 };

/** Measures the line. Throws BenchError `wrong-result` if a job is lost, started twice, or podq turns an order round. */
export async function benchQueue(plan: QueuePlan, say: (line: string) => void, stop: AbortSignal): Promise<QueueReport> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const redis = await startRedis();
    undo.push(redis.stop);
    const mongo = await startMongo();
    undo.push(mongo.stop);
    const { workers, concurrency } = plan;
    const rigs = await openRigs({ redisUrl: redis.url, mongoUri: mongo.uri, workers, concurrency }, undo);
    say(`services are up, and ${workers} worker processes for each of ${rigs.length} lines`);
    const series = rigs.map(({ line, name }): Series => ({ line, name, waits: { accepted: [], started: [] }, floods: [] }));
    await measureRounds(plan, rigs, series, say, stop);
    return { series, table: queueTable(series) };
  } finally {
    for (const one of undo.toReversed()) await one();
  }
}

async function measureRounds(
  { rounds, waits, pods, perPod, atOnce }: QueuePlan,
  rigs: readonly Rig[],
  series: readonly Series[],
  say: (line: string) => void,
  stop: AbortSignal,
): Promise<void> {
  for (const rig of rigs) await measureFlood(rig, pods, 1, atOnce); // code is compiled and connections are open before anything counts
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}`);
    for (const rig of shuffled(rigs)) {
      stop.throwIfAborted();
      const { accepted, started } = await measureWaits(rig, waits);
      const mine = series.find(({ line }) => line === rig.line)!;
      mine.waits.accepted.push(...accepted);
      mine.waits.started.push(...started);
    }
    for (const rig of shuffled(rigs)) {
      stop.throwIfAborted();
      series.find(({ line }) => line === rig.line)!.floods.push(await measureFlood(rig, pods, perPod, atOnce));
    }
  }
}

const head = [
  "line",
  "enqueue returns, p50 ms",
  "to start of handler, p50 ms",
  "p95 ms",
  "p50 to plain",
  "p50 to BullMQ alone",
  "jobs per s",
  "to plain",
  "to BullMQ alone",
  "began out of order",
  "goal",
];
const latency: Goal = { what: "p50 to plain", limit: 1.4, side: "at-most" };
const throughput: Goal = { what: "per s to plain", limit: 0.65, side: "at-least" };

function queueTable(series: readonly Series[]): string {
  const of = (line: Rig["line"]): { p50: number; perSecond: number } => {
    const { waits, floods } = series.find((one) => one.line === line)!;
    return { p50: median(waits.started), perSecond: median(floods.map(({ perSecond }) => perSecond)) };
  };
  const [plain, bare] = [of("plain"), of("bare")];
  return markdownTable(
    head,
    series.map(({ line, name, waits, floods }) => {
      const { p50, perSecond } = of(line);
      const times = [median(waits.accepted), p50, quantile(waits.started, 0.95), p50 / plain.p50, p50 / bare.p50];
      const rates = [perSecond, perSecond / plain.perSecond, perSecond / bare.perSecond];
      const turned = floods.reduce((sum, flood) => sum + flood.turned, 0);
      const goals = line === "podq" ? [verdict(latency, p50 / plain.p50), verdict(throughput, perSecond / plain.perSecond)] : [];
      return [name, ...[...times, ...rates].map(figure), String(turned), goals.join("; ")];
    }),
  );
}
