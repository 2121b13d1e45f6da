import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { Open } from "../run.ts";
import { follow, type Task } from "./follow.ts";
import { sendInput } from "./input.ts";
import { runWithoutShell } from "./no-shell.ts";
import type { ExecControl, ExecOutcome, ExecRequest, ExecTarget } from "./outcome.ts";
import { Output } from "./output.ts";
import { isRunId } from "./protocol.ts";
import type { Session } from "./session.ts";
import { Sessions, type SessionLimits, type SessionStats } from "./sessions.ts";
import { lost, never } from "./verdict.ts";
import { readOver, type Obstacle } from "./way.ts";

/** How execs reach pods, and their bounds. */
export type ExecsOptions = {
  open: Open;
  /** Beginning of each argv on the host. Default `["kubectl"]`. */
  kubectl?: readonly string[];
  /** Container that commands run in. Default "workspace". */
  container?: string;
  /** Directories for the journal in the pod, the one that outlives the container first. Default /podq, /tmp. */
  journalDirs?: readonly string[];
  /** Sessions at once. Default 64. */
  maxSessions?: number;
  /** Commands at once in one pod. Default 32. */
  maxRunsPerSession?: number;
  /** Commands after which a session is replaced. Default 4000. */
  spentAfter?: number;
  /** A session without a command is closed after this. Default 60 s. */
  idleMs?: number;
  /** Until a new session must have greeted. Default 15 s. */
  greetTimeoutMs?: number;
  /** Between heartbeats; two unanswered end the session. Default 10 s. */
  pingMs?: number;
  /** An answer that is due must show life within this. Default 5 s. */
  answerTimeoutMs?: number;
  /** Time to get a channel. Default 30 s. */
  openTimeoutMs?: number;
  /** How long past its deadline a command whose pod cannot be reached is still tried for. Default 30 s. */
  marginMs?: number;
  /** How long a command that was not sent yet is tried for. Default 5 s. */
  startMarginMs?: number;
  /** Largest output that comes with the last frame. Default 64 KiB. */
  inlineBytes?: number;
  /** Told what happens on the way, for the log. Must not throw. */
  onEvent?: (event: ExecEvent) => void;
};

/** Something on the way of one run that is worth a line in the log. */
export type ExecEvent = { kind: "cut"; id: string; pod: string; obstacle: Obstacle["kind"]; message: string };

/** Runs commands in pods. */
export type Execs = {
  /** Runs one command, or attaches to it, and returns what came of it. Rejects only for a malformed request, or with what `onOutput` or `stdin` threw. */
  run(target: ExecTarget, request: ExecRequest, control: ExecControl): Promise<ExecOutcome>;
  stats(): SessionStats;
  /** Ends all sessions; commands go on in their pods. */
  close(): Promise<void>;
};

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 3000;
const DEADLINE_MARGIN_S = 2;

/** Makes the one way to run commands in pods. */
export function createExecs(options: ExecsOptions): Execs {
  const { open, kubectl = ["kubectl"], container = "workspace", journalDirs = ["/podq", "/tmp"] } = options;
  const { marginMs = 30_000, startMarginMs = 5000, inlineBytes = 64 * 1024, onEvent } = options;
  const { greetTimeoutMs = 15_000, pingMs = 10_000, answerTimeoutMs = 5000, openTimeoutMs = 30_000 } = options;
  const argv = ({ namespace, pod }: ExecTarget): string[] => [...kubectl, "exec", "-i", pod, "-n", namespace, "-c", container];
  const limits: SessionLimits = {
    max: options.maxSessions ?? 64,
    runs: options.maxRunsPerSession ?? 32,
    spentAfter: options.spentAfter ?? 4000,
    idleMs: options.idleMs ?? 60_000,
  };
  const sessions = new Sessions(
    (target) => ({
      open,
      argv: [...argv(target), "--", "sh"],
      dirs: journalDirs,
      patience: { greetMs: greetTimeoutMs, pingMs, answerMs: answerTimeoutMs },
      openTimeoutMs,
      lookS: 5,
      idleS: Math.max(10, Math.ceil((6 * pingMs) / 1000)),
    }),
    limits,
  );
  // Pods found to have no shell; a pod's image does not change.
  const withoutShell = new Set<string>();

  async function run(target: ExecTarget, request: ExecRequest, control: ExecControl): Promise<ExecOutcome> {
    const task = taskOf(request, inlineBytes, control);
    if (withoutShell.has(target.podUid)) return runWithoutShell(open, argv(target), request, control);
    const begun = performance.now();
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      if (control.detach.aborted) return { kind: "detached" };
      if (control.cancel.aborted) task.ending ??= "cancel";
      if (task.ending && !task.told.ever) return never(task.ending);
      const waited = new AbortController();
      const timer = setTimeout(() => waited.abort(), Math.max(1, begun + giveUpMs(task) - performance.now()));
      const loan = await sessions.borrow(
        target,
        AbortSignal.any([control.detach, waited.signal, ...(task.told.ever ? [] : [control.cancel])]),
      );
      clearTimeout(timer);
      if (!loan) {
        if (control.detach.aborted || control.cancel.aborted) continue;
        return unreachable("host-unreachable", "no session became free in time", task.told.ever);
      }
      const tellBefore = { ...task.told };
      const borrowed = performance.now();
      const followed = await follow(loan.session, task, control).finally(loan.release);
      if (followed.kind === "detached") return followed;
      if (followed.kind === "done") return followed.outcome;

      // What was never written cannot have been read.
      if (!followed.over.wrote) task.told = tellBefore;
      const obstacle = readOver(followed.over);
      onEvent?.({ kind: "cut", id: task.call.id, pod: target.pod, obstacle: obstacle.kind, message: obstacle.message });
      const greeted = loan.session.boot !== undefined;
      const livedMs = performance.now() - borrowed;
      // kubectl did not even run sh: nothing was started, whatever was written into its standard input.
      if (!greeted && refuses(obstacle)) task.told = tellBefore;
      if (obstacle.kind === "no-shell") {
        withoutShell.add(target.podUid);
        return runWithoutShell(open, argv(target), task.told.ever ? { ...request, attempt: 2 } : request, control);
      }
      const spentMs = performance.now() - begun;
      const patient = spentMs < (task.told.ever ? giveUpMs(task) : startMarginMs);
      const outcome = settle(obstacle, task, patient);
      if (outcome) {
        await task.output.flushed();
        return outcome;
      }
      // A session that lived for a while starts the count anew.
      if (livedMs > LONGEST_PAUSE_MS) pauseMs = FIRST_PAUSE_MS;
      await wait(pauseMs * (0.75 + Math.random() / 2), undefined, { signal: control.detach }).catch(() => undefined);
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    }
  }

  function giveUpMs({ timeoutMs, call }: Task): number {
    return timeoutMs + call.graceMs + marginMs;
  }

  return { run, stats: () => sessions.stats(), close: () => sessions.close() };
}

function refuses(obstacle: Obstacle): boolean {
  const { kind } = obstacle;
  return (
    (kind === "down" && obstacle.untold === true) || kind === "gone" || kind === "not-running" || kind === "no-shell" || kind === "barred"
  );
}

// What an obstacle means for a run; undefined: try again.
function settle(obstacle: Obstacle, task: Task, patient: boolean): ExecOutcome | undefined {
  const { told, output } = task;
  switch (obstacle.kind) {
    case "gone":
      if (told.ever) return lost("pod-replaced", `the pod is gone: ${obstacle.message}`, true, output.arrived);
      return { kind: "failed", code: "pod-not-running", message: obstacle.message };
    case "not-running":
      if (patient) return undefined;
      if (told.ever) return unreachable("cluster-unreachable", obstacle.message, true);
      return { kind: "failed", code: "pod-not-running", message: obstacle.message };
    case "no-journal":
      if (told.ever) return lost("outcome-unknown", `the journal of the run cannot be reached: ${obstacle.message}`, false, output.arrived);
      return { kind: "failed", code: "journal-unavailable", message: obstacle.message };
    case "barred":
      return unreachable(obstacle.code, obstacle.message, told.ever);
    case "down":
      return patient ? undefined : unreachable(obstacle.code, obstacle.message, told.ever);
    case "no-shell":
      return undefined;
  }
}

function unreachable(code: Extract<ExecOutcome, { kind: "unreachable" }>["code"], message: string, mayHaveStarted: boolean): ExecOutcome {
  return { kind: "unreachable", code, message, mayHaveStarted };
}

function taskOf(request: ExecRequest, inlineBytes: number, control: ExecControl): Task {
  const { jobId, run, attempt, command, cwd = "", env = {}, timeoutMs, graceMs, maxOutputBytes, from, stdin, liveStdin } = request;
  const id = `${jobId}.${run}`;
  if (!isRunId(id)) throw new RangeError(`not usable as the id of a run: ${JSON.stringify(id)}`);
  if (cwd !== "" && !cwd.startsWith("/")) throw new RangeError("cwd must be absolute");
  const argv = typeof command === "string" ? ["sh", "-c", command] : command;
  if (argv.length === 0) throw new RangeError("the command is empty");
  for (const name of Object.keys(env))
    if (name === "" || name.includes("=") || name === "PODQ_RUN") throw new RangeError(`not usable as the name of a variable: ${name}`);
  if ([...argv, cwd, ...Object.entries(env).flat()].some((text) => text.includes("\0")))
    throw new RangeError("a NUL byte cannot be passed to a command");
  return {
    call: {
      id,
      token: randomBytes(12).toString("hex"),
      deadlineS: Math.ceil(timeoutMs / 1000) + DEADLINE_MARGIN_S,
      graceMs,
      capBytes: maxOutputBytes,
      inlineBytes: from.stdout + from.stderr > 0 ? 0 : inlineBytes,
      alone: request.exclusive,
      cwd,
      fence: request.fence.filter((other) => other !== id),
      env: Object.entries(env),
      argv,
    },
    input: (session: Session, signal: AbortSignal) => sendInput(session, id, stdin, signal),
    liveInput: liveStdin,
    timeoutMs,
    output: new Output(from, (pieces) => control.onOutput(pieces)),
    told: { ever: attempt > 1 },
    ending: null,
  };
}
