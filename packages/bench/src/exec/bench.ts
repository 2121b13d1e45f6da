import { measureCells, type Cell, type Effort, type Shape } from "./cells.ts";
import { measureColds, type Colds } from "./cold.ts";
import { measureOutputs, type Outputs } from "./output.ts";
import { openScene } from "./scene.ts";
import { execTable } from "./table.ts";
import { checkWay, waysOf } from "./ways.ts";

/** How much is measured. */
export type ExecPlan = {
  shapes: readonly Shape[];
  fleets: readonly number[];
  effort: Effort;
  outputBytes: number;
  outputs: number;
  colds: number;
};

/** Figures as they were measured, and the table of them. */
export type ExecReport = { cells: Cell[]; colds: Colds; outputs: Outputs; table: string };

const shapesOf = (atOnce: readonly number[], pods: readonly number[]): Shape[] =>
  pods.flatMap((pods) => atOnce.map((atOnce) => ({ atOnce, pods })));

/** The run whose figures count: about ten minutes. */
export const fullExecPlan: ExecPlan = {
  shapes: shapesOf([1, 8], [1, 8, 20]),
  fleets: [1, 4],
  effort: { rounds: 7, forMs: 1500, atLeast: 3, idleMs: 3000 },
  outputBytes: 200 * 1024 * 1024,
  outputs: 5,
  colds: 25,
};

/** A run that shows that all of it works, in seconds. */
export const quickExecPlan: ExecPlan = {
  shapes: shapesOf([1, 2], [1, 2]),
  fleets: [1, 2],
  effort: { rounds: 1, forMs: 200, atLeast: 2, idleMs: 200 },
  outputBytes: 4 * 1024 * 1024,
  outputs: 1,
  colds: 2,
};

/** Measures exec. Throws BenchError `wrong-result` when a way does not do its work. Leaves nothing behind. */
export async function benchExec(plan: ExecPlan, say: (line: string) => void, stop: AbortSignal): Promise<ExecReport> {
  const pods = Math.max(...plan.shapes.map((shape) => shape.pods));
  const scene = await openScene({ pods, fleets: plan.fleets, say });
  try {
    const ways = waysOf(scene);
    for (const way of ways) await checkWay(way, scene.places[0]!);
    say("each way brings back what a command writes and its exit code");
    const cells = await measureCells(scene, ways, plan.shapes, plan.effort, say, stop);
    const colds = await measureColds(
      scene,
      ways.find(({ id }) => id === "b")!,
      plan.colds,
      stop,
    );
    say("cold commands are done");
    const outputs = await measureOutputs(scene, plan.outputBytes, plan.outputs, say, stop);
    return { cells, colds, outputs, table: execTable(cells, outputs, colds, plan.outputBytes) };
  } finally {
    await scene.close();
  }
}
