import type { ExecOutcome, Execs, Exit, Failure, Open, Run } from "@podq/kube";
import { tracedCall } from "./trace.ts";

/** Something that was done on the SSH host (`run` to its end, `open` to hold it), or by a session in a pod (`exec`), and how it went. */
export type Went = { what: "run" | "open" | "exec"; verb: string; outcome: string; ms: number };

/** The way to a host, and how kubectl is called there. */
export type Way = { run: Run; open: Open; kubectl: readonly string[] };

// The words that podq begins a kubectl with; anything else would be a label without a bound.
const verbs = new Set(["apply", "create", "delete", "exec", "get", "version"]);

/** The same way, of which each use is told. */
export function watchedWay({ run, open, kubectl }: Way, tell: (went: Went) => void): Way {
  const verbOf = (argv: readonly string[]): string => {
    const verb = argv[kubectl.length] ?? "";
    return verbs.has(verb) ? verb : "other";
  };
  return {
    kubectl,
    async run(argv, options) {
      const beganAt = performance.now();
      const went = await tracedCall(`kubectl ${verbOf(argv)}`, {}, async () => run(argv, options), outcomeOf);
      tell({ what: "run", verb: verbOf(argv), outcome: outcomeOf(went), ms: performance.now() - beganAt });
      return went;
    },
    async open(argv, options) {
      const beganAt = performance.now();
      const opened = await tracedCall(`open kubectl ${verbOf(argv)}`, {}, async () => open(argv, options), openedAs);
      tell({ what: "open", verb: verbOf(argv), outcome: openedAs(opened), ms: performance.now() - beganAt });
      return opened;
    },
  };
}

/** The same execs, of which each run is told. */
export function watchedExecs(execs: Execs, tell: (went: Went) => void): Execs {
  return {
    ...execs,
    async run(...call) {
      const beganAt = performance.now();
      const over = (outcome: ExecOutcome["kind"] | "error"): void =>
        tell({ what: "exec", verb: "exec", outcome, ms: performance.now() - beganAt });
      try {
        const [{ pod }, { jobId, run }] = call;
        const attributes = { "k8s.pod.name": pod, "podq.run": `${jobId}.${run}` };
        const outcome = await tracedCall(
          "exec",
          attributes,
          async () => execs.run(...call),
          ({ kind }) => kind,
        );
        over(outcome.kind);
        return outcome;
      } catch (error) {
        over("error");
        throw error;
      }
    },
  };
}

function openedAs({ kind }: { kind: string }): string {
  return kind === "open" ? "ok" : kind;
}

// kubectl's exit code is no evidence of what a command did, but of whether the API server took the call.
function outcomeOf(went: Exit | Failure): string {
  if (went.kind !== "exit") return went.kind;
  return went.code === 0 ? "ok" : "error";
}
