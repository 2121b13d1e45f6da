import { explain } from "./check/check.ts";
import { runAllControls } from "./all-controls.ts";
import { chaos } from "./chaos.ts";
import { parseCommand } from "./command.ts";
import { chooseCluster } from "./config.ts";
import { aims } from "./controls.ts";
import { ChaosError } from "./errors.ts";
import { report } from "./report.ts";
import { scales } from "./scale.ts";

/** Runs the harness as the command line says: the report goes to stdout, progress to stderr. Resolves with the exit code. */
export async function runChaos(argv: readonly string[], stop: AbortSignal): Promise<number> {
  const began = performance.now();
  const say = (line: string): void => void process.stderr.write(`chaos: ${((performance.now() - began) / 1000).toFixed(1)} s: ${line}\n`);
  try {
    const command = parseCommand(argv);
    const { faults, seed, cluster, defaults, without, only } = command;
    if (command.controls) {
      print(`chaos --controls --faults ${faults} --seed ${seed}`);
      return (await runAllControls(command, print, stop)) ? 0 : 1;
    }
    chooseCluster(cluster);
    const aim = without === undefined ? undefined : aims[without];
    const flags = [defaults && "--defaults", without && `--without ${without}`, only && `--only ${only.join(",")}`].filter(Boolean);
    print(["chaos", "--faults", faults, "--seed", seed, "--cluster", cluster, ...flags].join(" "));
    const { done, history, violations, dir } = await chaos(command, aim?.scale ?? scales[cluster], say, stop);
    say(`checked ${history.jobs.length} jobs`);
    for (const line of report(done, faults, history)) print(line);
    print(`${violations.length} violations`);
    const [first] = violations;
    if (first !== undefined) {
      for (const line of explain(first, history)) print(line);
      for (const { rule, jobs, message } of violations.slice(1, 10)) print([`${rule}: ${message}`, ...jobs].join(" "));
      print(`logs of the workers: ${dir}`);
    }
    if (aim !== undefined) return violations.some(({ rule }) => aim.shows.includes(rule)) ? 0 : 1;
    return first !== undefined || done.length < faults ? 1 : 0;
  } catch (error) {
    process.stderr.write(`chaos: ${error instanceof ChaosError ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    return error instanceof ChaosError && error.code === "bad-argument" ? 2 : 1;
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
