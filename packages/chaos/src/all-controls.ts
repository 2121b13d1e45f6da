import { closeSync, openSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChild } from "./child.ts";
import type { ControlReport, ControlSettings } from "./control-child.ts";
import { chooseCluster } from "./config.ts";
import { controls } from "./controls.ts";

const atOnce = 3;
const withinMs = 240_000;

/** Runs all negative controls, some side by side, and prints a line for each. Resolves with whether all protections were missed. */
export async function runAllControls(
  { seed, faults }: { seed: number; faults: number },
  print: (line: string) => void,
  stop: AbortSignal,
): Promise<boolean> {
  chooseCluster("embedded");
  const dir = await mkdtemp(join(tmpdir(), "podq-controls-"));
  const left = [...controls];
  let all = true;
  const lane = async (): Promise<void> => {
    for (let control = left.shift(); control !== undefined && !stop.aborted; control = left.shift()) {
      const log = join(dir, control);
      const from = performance.now();
      const { faults: done, found } = await oneControl({ control, seed, faults }, log, stop);
      const how = `${done} faults, ${((performance.now() - from) / 1_000).toFixed(0)} s`;
      print(
        found === null ? `without ${control}: not found (${how}; ${log})` : `without ${control}: found (${how}) ${found.slice(0, 120)}`,
      );
      all &&= found !== null;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  if (all) await rm(dir, { recursive: true });
  return all && !stop.aborted;
}

async function oneControl(settings: ControlSettings, logFile: string, stop: AbortSignal): Promise<ControlReport> {
  let told: ControlReport = { faults: 0, found: null };
  const log = openSync(logFile, "w");
  const heard = (report: ControlReport): void => void (told = report);
  const child = await startChild(new URL("./control-child.ts", import.meta.url), settings, log, heard);
  closeSync(log);
  const enough = AbortSignal.any([stop, AbortSignal.timeout(withinMs)]);
  enough.addEventListener("abort", () => child.signal("SIGTERM"), { once: true });
  await child.exited;
  return told;
}
