// What the end of a session, or of a plain kubectl exec, says about the way to the pod. Pure.
import { exitError, failureError } from "../kubectl.ts";
import type { Exit, Failure } from "../run.ts";
import type { UnreachableCode } from "./outcome.ts";
import type { Over } from "./session.ts";

/** What is wrong, as far as it decides what to do next. */
export type Obstacle =
  | { kind: "gone"; message: string } // there is no such pod any more
  | { kind: "not-running"; message: string } // the pod is there, its container is not, or not yet
  | { kind: "no-shell"; message: string }
  | { kind: "no-journal"; message: string }
  | { kind: "barred"; code: UnreachableCode; message: string } // waiting does not help
  // untold: kubectl never got through, so nothing that was written to it has left the host
  | { kind: "down"; code: UnreachableCode; message: string; untold?: true };

// kubectl's own words, from its last lines.
const sayings: readonly [RegExp, "gone" | "not-running" | "no-shell"][] = [
  [/\(NotFound\): (pods|namespaces) "/, "gone"],
  [/cannot exec into a container in a completed pod/, "gone"],
  [/exec: "sh": executable file not found|exec: "sh": stat sh: no such file|"sh": no such file or directory/, "no-shell"],
  [
    /container not found \(|does not have a host assigned|container is not (created or )?running|is not running|pod .* is terminating/,
    "not-running",
  ],
];

/** Reads how an exec ended; `stderr` is what kubectl wrote there. */
export function readEnd(end: Exit | Failure, stderr: string): Obstacle {
  if (end.kind !== "exit") {
    const { code, message } = failureError(end);
    return atWay(code, message);
  }
  const said = sayings.find(([pattern]) => pattern.test(stderr));
  if (said) return { kind: said[1], message: lastLine(stderr) };
  const { code, message } = exitError({ ...end, stderr: Buffer.from(stderr) });
  const way = atWay(code, message);
  return way.kind === "down" && dialFailed.test(stderr) ? { ...way, untold: true } : way;
}

// It says so of requests alone, the one for the upgrade included; of an exec that was under way it says something else.
const dialFailed = /^(The connection to the server .* was refused|Unable to connect to the server: )|error dialing backend: dial /m;

/** Reads the end of a session. */
export function readOver(over: Over): Obstacle {
  switch (over.kind) {
    case "unopened":
      return readEnd(over.failure, over.failure.stderr.toString());
    case "ended":
      return readEnd(over.exit, over.stderr);
    case "refused":
      return { kind: "no-journal", message: "no directory in the pod can hold the journal, or its disk is full" };
    case "silent":
    case "garbage":
    case "closed":
      return { kind: "down", code: "cluster-unreachable", message: `the session with the pod was given up: ${over.detail}` };
  }
}

const barred = new Set<UnreachableCode>(["host-key-mismatch", "host-auth-failed", "kubectl-missing", "forbidden"]);
const known: readonly UnreachableCode[] = ["host-unreachable", ...barred, "cluster-unreachable"];

function atWay(found: string, message: string): Obstacle {
  // An exec that just ended says nothing: kubectl exits 0, 1 or 137 when the way is cut.
  const code = known.find((one) => one === found) ?? "cluster-unreachable";
  return { kind: barred.has(code) ? "barred" : "down", code, message };
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1)?.slice(0, 2000) ?? "";
}
