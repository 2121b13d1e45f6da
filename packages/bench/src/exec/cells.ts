import { idleShare } from "../cpu.ts";
import { BenchError } from "../errors.ts";
import { drive, podOf, type Load } from "../load.ts";
import { shuffled } from "../stats.ts";
import type { Place, Scene } from "./scene.ts";
import type { Way } from "./ways.ts";

/** How many commands at once over how many pods. */
export type Shape = { atOnce: number; pods: number };

/** What one way gave in one shape, over all rounds: `machineMs` of a load is without the share that was busy (`idle`) before its round. */
export type Cell = { way: Way; shape: Shape; loads: (Load & { idle: number })[] };

/** How long and how often. */
export type Effort = { rounds: number; forMs: number; atLeast: number; idleMs: number };

/** Measures every way in every shape, in rounds; the order within each round is random. */
export async function measureCells(
  scene: Pick<Scene, "places">,
  ways: readonly Way[],
  shapes: readonly Shape[],
  effort: Effort,
  say: (line: string) => void,
  stop: AbortSignal,
): Promise<Cell[]> {
  const cells = shapes.flatMap((shape) => ways.map((way): Cell => ({ way, shape, loads: [] })));
  for (let round = 1; round <= effort.rounds; round++) {
    const idle = await idleShare(effort.idleMs);
    say(`round ${round} of ${effort.rounds}: the machine is ${(idle * 100).toFixed(0)} % of one processor busy before it begins`);
    for (const cell of shuffled(cells)) {
      stop.throwIfAborted();
      cell.loads.push(await measure(cell, scene.places, effort, idle));
    }
  }
  return cells;
}

async function measure({ way, shape }: Cell, places: readonly Place[], effort: Effort, idle: number): Promise<Load & { idle: number }> {
  const { atOnce, pods } = shape;
  await way.warmUp(places.slice(0, pods));
  const load = await drive({ atOnce, forMs: effort.forMs, atLeast: effort.atLeast }, async (caller, n) => {
    const { code } = await way.run(places[podOf(caller, n, atOnce, pods)]!, ["true"], atOnce > pods);
    if (code !== 0) throw new BenchError("wrong-result", `${way.name}: true ended with ${code}`);
  });
  return { ...load, idle, machineMs: load.machineMs - idle * load.wallMs };
}
