// From what the journal says to what the caller is told. Pure.
import type { Summary } from "./frames.ts";
import type { ExecOutcome, FailedCode } from "./outcome.ts";

/** Why podq ended, or is ending, a run. */
export type Why = "timeout" | "cancel" | "fence";

/** A run that the journal knows the end of. `wallMs` turns pod uptime into wall clock. */
export function ended(summary: Summary, wallMs: (uptimeMs: number) => number, weaker: readonly string[], left: number): ExecOutcome {
  const { exitCode, stdout, stderr, atLeast } = summary;
  if (exitCode === null) throw new TypeError("the journal has no end of this run");
  if (summary.why === "stdin")
    return lost("outcome-unknown", "what fed its standard input was killed in the pod: it may have taken half of it for the whole", true, {
      stdout: stdout.total,
      stderr: stderr.total,
    });
  const why = summary.why === null ? undefined : summary.why === "timeout" ? "timeout" : "cancel";
  const signal = why && ({ 143: "SIGTERM", 137: "SIGKILL" } as const)[exitCode];
  return {
    kind: "ended",
    exitCode,
    ...(why && { why }),
    ...(signal && { signal }),
    startedAt: new Date(wallMs(summary.startedMs)),
    endedAt: new Date(wallMs(summary.endedMs)),
    stdoutBytes: stdout.total,
    stderrBytes: stderr.total,
    ...(atLeast && { atLeast }),
    truncated: atLeast || stdout.total > stdout.kept || stderr.total > stderr.kept,
    leftRunning: Math.max(summary.left, left),
    ...(summary.leftUnverified && { unverified: true }),
    ...(weaker.length > 0 && { weaker: [...weaker] }),
  };
}

const refusals: Record<string, [FailedCode, string]> = {
  cwd: ["cwd-not-found", "the working directory does not exist in the pod, or may not be entered"],
  noclaim: ["journal-unavailable", "the pod's journal cannot be written to: its disk is full, or it is read-only"],
  killed: ["cancelled", "it was ended before it started"],
  stdin: ["internal", "its standard input did not arrive whole; it was not started"],
};

/** A run of which the journal says that it was not started. */
export function refused(why: string): ExecOutcome {
  const [code, message] = refusals[why] ?? ["internal", `the runner refused it: ${why}`];
  return { kind: "failed", code, message };
}

/** A run that can no longer start. */
export function never(why: Why | null): ExecOutcome {
  if (why === "timeout") return { kind: "failed", code: "timed-out", message: "its time was over before it started" };
  const message = why === "fence" ? "a later job made it unstartable before it started" : "it was cancelled before it started";
  return { kind: "failed", code: "cancelled", message };
}

/** A run that nobody knows the end of; `bytes`: output that was seen. */
export function lost(
  code: "outcome-unknown" | "pod-replaced",
  message: string,
  settled: boolean,
  bytes: { stdout: number; stderr: number },
): ExecOutcome {
  return { kind: "lost", code, message, settled, stdoutBytes: bytes.stdout, stderrBytes: bytes.stderr };
}
