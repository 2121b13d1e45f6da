import { parseArgs } from "node:util";
import { BenchError } from "./errors.ts";

/** What is to be measured: `quick` is a small version that shows that the bench works, not how fast podq is. */
export type BenchCommand = {
  what: "exec" | "files" | "queue" | "backlog" | "subscribers" | "output" | "reconcile";
  cluster: "embedded" | "real";
  quick: boolean;
};

const usage =
  "usage: bench exec|files [--cluster embedded|real] [--quick]   or   bench queue|backlog|subscribers|output|reconcile [--quick]";

/** Reads the command line. Throws BenchError `bad-argument`. */
export function parseCommand(argv: readonly string[]): BenchCommand {
  try {
    const { positionals, values } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { cluster: { type: "string", default: "embedded" }, quick: { type: "boolean", default: false } },
    });
    const [what, ...more] = positionals;
    const { cluster, quick } = values;
    if (more.length > 0 || !isBench(what) || (cluster !== "embedded" && cluster !== "real")) throw new Error("no such bench");
    return { what, cluster, quick };
  } catch (error) {
    throw new BenchError("bad-argument", `${error instanceof Error ? error.message : String(error)}\n${usage}`, { cause: error });
  }
}

function isBench(what: string | undefined): what is BenchCommand["what"] {
  return what !== undefined && ["exec", "files", "queue", "backlog", "subscribers", "output", "reconcile"].includes(what);
}
