import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { controls, type Control } from "./controls.ts";
import { ChaosError } from "./errors.ts";
import { commonKinds, partKinds, type FaultKind } from "./plan.ts";

/** What a run is to be. */
export type ChaosCommand = {
  faults: number;
  seed: number;
  cluster: "embedded" | "real";
  /** Leases and sweeps of the product's own defaults instead of short ones. */
  defaults: boolean;
  /** The protection that is switched off: then violations are what is looked for. */
  without: Control | undefined;
  /** All protections, one after the other. */
  controls: boolean;
  /** The kinds of fault; undefined: all that the cluster can have. */
  only: readonly FaultKind[] | undefined;
};

const usage = `usage: chaos [--faults 150] [--seed S] [--cluster embedded|real] [--defaults] [--without ${controls.join("|")}] [--controls] [--only KIND,...]`;

/** Reads the command line. Throws ChaosError `bad-argument`. */
export function parseCommand(argv: readonly string[]): ChaosCommand {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        faults: { type: "string" },
        seed: { type: "string" },
        cluster: { type: "string", default: "embedded" },
        defaults: { type: "boolean", default: false },
        without: { type: "string" },
        controls: { type: "boolean", default: false },
        only: { type: "string" },
      },
    });
    const { cluster, defaults, controls: all } = values;
    const without = controls.find((control) => control === values.without);
    if (cluster !== "embedded" && cluster !== "real") throw new Error(`there is no cluster ${cluster}`);
    if (values.without !== undefined && without === undefined) throw new Error(`there is no protection ${values.without}`);
    const faults = wholeNumber("faults", values.faults ?? (without === undefined && !all ? "150" : "200"), 1, 100_000);
    const seed = values.seed === undefined ? randomInt(2 ** 31) : wholeNumber("seed", values.seed, 0, 2 ** 31 - 1);
    return { faults, seed, cluster, defaults, without, controls: all, only: values.only?.split(",").map(kindOf) };
  } catch (error) {
    throw new ChaosError("bad-argument", `${error instanceof Error ? error.message : String(error)}\n${usage}`, { cause: error });
  }
}

function kindOf(text: string): FaultKind {
  const kind = [...commonKinds, ...partKinds].find((one) => one === text);
  if (kind === undefined) throw new Error(`there is no kind of fault ${text}`);
  return kind;
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) throw new Error(`--${name} must be a whole number from ${min} to ${max}`);
  return value;
}
