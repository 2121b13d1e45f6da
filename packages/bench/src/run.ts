import { benchBacklog, fullBacklogPlan, quickBacklogPlan } from "./backlog/bench.ts";
import { parseCommand } from "./command.ts";
import { chooseCluster } from "./config.ts";
import { BenchError } from "./errors.ts";
import { benchExec, fullExecPlan, quickExecPlan } from "./exec/bench.ts";
import { benchFiles, fullFilesPlan, quickFilesPlan } from "./files/bench.ts";
import { benchSubscribers, fullSubscribersPlan, quickSubscribersPlan } from "./subscribers/bench.ts";
import { benchOutput, fullOutputPlan, quickOutputPlan } from "./output/bench.ts";
import { benchReconcile, fullReconcilePlan, quickReconcilePlan } from "./reconcile/bench.ts";
import { benchQueue, fullQueuePlan, quickQueuePlan } from "./queue/bench.ts";

/** Runs a bench as the command line says: the table goes to stdout, progress to stderr. Resolves with the exit code. */
export async function runBench(argv: readonly string[], stop: AbortSignal): Promise<number> {
  const from = performance.now();
  const say = (line: string): void => void process.stderr.write(`bench: ${((performance.now() - from) / 1000).toFixed(1)} s: ${line}\n`);
  try {
    const { what, cluster, quick } = parseCommand(argv);
    chooseCluster(cluster);
    const benches = {
      exec: async () => benchExec(quick ? quickExecPlan : fullExecPlan, say, stop),
      files: async () => benchFiles(quick ? quickFilesPlan : fullFilesPlan, say, stop),
      queue: async () => benchQueue(quick ? quickQueuePlan : fullQueuePlan, say, stop),
      subscribers: async () => benchSubscribers(quick ? quickSubscribersPlan : fullSubscribersPlan, say, stop),
      output: async () => benchOutput(quick ? quickOutputPlan : fullOutputPlan, say, stop),
      reconcile: async () => benchReconcile(quick ? quickReconcilePlan : fullReconcilePlan, say, stop),
      backlog: async () => benchBacklog(quick ? quickBacklogPlan : fullBacklogPlan, say, stop),
    };
    const { table } = await benches[what]();
    process.stdout.write(`${table}\n`);
    return 0;
  } catch (error) {
    if (stop.aborted) {
      say("stopped");
      return 130;
    }
    process.stderr.write(`bench: ${error instanceof BenchError ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    return error instanceof BenchError && error.code === "bad-argument" ? 2 : 1;
  }
}
