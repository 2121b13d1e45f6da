import { availableParallelism } from "node:os";
import { verdict, type Goal } from "../goal.ts";
import { markdownTable } from "../markdown.ts";
import { figure, median, quantile } from "../stats.ts";
import type { Cell } from "./cells.ts";
import type { Colds } from "./cold.ts";
import type { OutputReport } from "./output-child.ts";
import type { Outputs } from "./output.ts";

/** The figures of one way in one shape. Times in ms; CPU a command. */
type Figures = { p50: number; p95: number; perSecond: number; machineMs: number; clientMs: number };

/** Figures over all rounds: quantiles of all commands; the rest is the median of the rounds. */
function figuresOf({ loads }: Pick<Cell, "loads">): Figures {
  const all = loads.flatMap(({ latencies }) => latencies);
  const perRound = (of: (load: Cell["loads"][number]) => number): number => median(loads.map(of));
  return {
    p50: median(all),
    p95: quantile(all, 0.95),
    perSecond: perRound(({ latencies, wallMs }) => (latencies.length / wallMs) * 1000),
    machineMs: perRound(({ latencies, machineMs }) => machineMs / latencies.length),
    clientMs: perRound(({ latencies, clientMs }) => clientMs / latencies.length),
  };
}

const latency: Record<string, Goal> = {
  c: { what: "p50", limit: 0.045, side: "at-most" },
  d: { what: "p50", limit: 0.15, side: "at-most" },
};
const throughput: Goal = { what: "per s", limit: 15, side: "at-least" };
const cpu: Goal = { what: "CPU", limit: 0.08, side: "at-most" };
const bulk: Goal = { what: "time", limit: 1.4, side: "at-most" };
const cold: Goal = { what: "p50", limit: 1.15, side: "at-most" };

const head = [
  "way",
  "at once",
  "pods",
  "p50 ms",
  "p95 ms",
  "p50 to (b)",
  "per s",
  "per s to (a)",
  "CPU of machine, ms each",
  "to (b)",
  "CPU of client, ms each",
  "client grows by, MB",
  "goal",
];

/** The table of a run. */
export function execTable(cells: readonly Cell[], outputs: Outputs, colds: Colds, outputBytes: number): string {
  return markdownTable(head, [...cells.map((cell) => cellRow(cell, cells)), ...coldRows(colds), ...outputRows(outputs, outputBytes)]);
}

function cellRow(cell: Cell, cells: readonly Cell[]): string[] {
  const { way, shape } = cell;
  const mine = figuresOf(cell);
  const baseline = (id: string): Figures => figuresOf(cells.find((other) => other.shape === shape && other.way.id === id) ?? { loads: [] });
  const toB = mine.p50 / baseline("b").p50;
  const toA = mine.perSecond / baseline("a").perSecond;
  const cpuToB = mine.machineMs / baseline("b").machineMs;
  const goals: string[] = [];
  const goal = latency[way.id[0] ?? ""];
  // Where several wait for two processors, the median says how busy those are: one at a time says how long a command takes.
  if (goal && shape.atOnce === 1) goals.push(verdict(goal, toB));
  if (way.id === "c" && shape.atOnce > 1 && shape.pods === Math.max(...cells.map((other) => other.shape.pods)))
    goals.push(verdict(throughput, toA));
  const idles = cell.loads.map((load) => load.idle);
  if (way.id === "c") goals.push(isSteady(idles) ? verdict(cpu, cpuToB) : "CPU: not judged, the machine was busy with other things");
  const figures = [mine.p50, mine.p95, toB, mine.perSecond, toA, mine.machineMs, cpuToB, mine.clientMs].map(figure);
  return [way.name, String(shape.atOnce), String(shape.pods), ...figures, "", goals.join("; ")];
}

// What the bench's own idle processes take is the same before each round, and little. What others take is not, or fills the
// machine; what is left after its subtraction is noise.
function isSteady(idles: readonly number[]): boolean {
  return Math.max(...idles) - Math.min(...idles) < 0.3 && Math.max(...idles) < availableParallelism() / 2;
}

function coldRows({ kubectl, session }: Colds): string[][] {
  const ratio = median(session) / median(kubectl);
  return [
    coldRow("cold: kubectl exec", kubectl, "", ""),
    coldRow("cold: kube.exec, new session", session, figure(ratio), verdict(cold, ratio)),
  ];
}

function coldRow(name: string, times: readonly number[], to: string, goal: string): string[] {
  const untold = Array.from({ length: 6 }, () => "");
  return [name, "1", "1", figure(median(times)), figure(quantile(times, 0.95)), to, ...untold, goal];
}

function outputRows({ kubectl, session }: Outputs, bytes: number): string[][] {
  const ratio = timeOf(session) / timeOf(kubectl);
  const megabytes = `${Math.round(bytes / 1024 / 1024)} MiB of output`;
  const row = (name: string, reports: readonly OutputReport[], to: string, goal: string): string[] => [
    `${megabytes}: ${name}`,
    "1",
    "1",
    figure(timeOf(reports)),
    figure(
      quantile(
        reports.map(({ ms }) => ms),
        0.95,
      ),
    ),
    to,
    ...Array.from({ length: 4 }, () => ""),
    figure(median(reports.map(({ clientMs }) => clientMs))),
    figure(Math.max(...reports.map(({ grownMb }) => grownMb))),
    goal,
  ];
  return [row("kubectl exec", kubectl, "", ""), row("kube.exec", session, figure(ratio), verdict(bulk, ratio))];
}

function timeOf(reports: readonly OutputReport[]): number {
  return median(reports.map(({ ms }) => ms));
}
