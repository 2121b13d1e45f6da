import { readFileSync } from "node:fs";

/** The runner as it is sent: without comments, indentation and empty lines. Holds because no quoted text in it spans lines. */
export function strip(source: string): string {
  const lines = source.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("#")).join("\n") + "\n";
}

const load = (name: string): string => strip(readFileSync(new URL(name, import.meta.url), "utf8"));

/** The program that goes into the pod's `sh` ahead of the first call. */
export const program: string = load("./runner.sh");

/** The program of the bulk way beside it. */
export const bulkProgram: string = load("./bulk.sh");
