import { explain } from "./check/check.ts";
import { chaos, type Scale } from "./chaos.ts";
import { parseCommand } from "./command.ts";
import { chooseCluster } from "./config.ts";
import { ChaosError } from "./errors.ts";
import { report } from "./report.ts";

const scales: Record<"embedded" | "real", Scale> = {
  embedded: { workers: 4, producers: 3, pods: 10, chains: 4, pauseMs: 400, lanes: 3 },
  real: { workers: 4, producers: 3, pods: 8, chains: 3, pauseMs: 600, lanes: 2 },
};

/** Runs the harness as the command line says: the report goes to stdout, progress to stderr. Resolves with the exit code. */
export async function runChaos(argv: readonly string[], stop: AbortSignal): Promise<number> {
  const began = performance.now();
  const say = (line: string): void => void process.stderr.write(`chaos: ${((performance.now() - began) / 1000).toFixed(1)} s: ${line}\n`);
  try {
    const command = parseCommand(argv);
    const { faults, seed, cluster, defaults, without, only } = command;
    chooseCluster(cluster);
    const flags = [defaults && "--defaults", without && `--without ${without}`, only && `--only ${only.join(",")}`].filter(Boolean);
    print(["chaos", "--faults", faults, "--seed", seed, "--cluster", cluster, ...flags].join(" "));
    const { done, history, violations, dir } = await chaos(command, scales[cluster], say, stop);
    say(`checked ${history.jobs.length} jobs`);
    for (const line of report(done, faults, history)) print(line);
    print(`${violations.length} violations`);
    const [first] = violations;
    if (first !== undefined) {
      for (const line of explain(first, history)) print(line);
      for (const { rule, jobs, message } of violations.slice(1, 10)) print([`${rule}: ${message}`, ...jobs].join(" "));
      print(`logs of the workers: ${dir}`);
    }
    if (without !== undefined) return first === undefined ? 1 : 0;
    return first !== undefined || done.length < faults ? 1 : 0;
  } catch (error) {
    process.stderr.write(`chaos: ${error instanceof ChaosError ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    return error instanceof ChaosError && error.code === "bad-argument" ? 2 : 1;
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
