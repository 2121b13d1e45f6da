// The life of one command: start it, feed it, collect it or hand it out, and see to its end on the host.
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import { SshError } from "./errors.ts";
import type { Lane, Started } from "./lane.ts";
import { type Cause, type Channel, type Exit, type Failure, failure } from "./outcome.ts";
import type { Reaper } from "./reaper.ts";
import { holdLine, runLine } from "./remote-shell.ts";
import type { Ended, Remote } from "./remote.ts";
import { delay, type Stop } from "./stop.ts";

// The host ends a command by itself so long after its time here was over, if nobody did.
const HOST_MARGIN_S = 5;

/** What a command needs: its lane, the reaper, and the bounds. */
export type Means = { lane: Lane; reaper: Reaper; maxOutputBytes: number; killTimeoutMs: number };

/** Runs a command to its end and collects what it writes. */
export async function collectCommand(
  means: Means,
  argv: readonly string[],
  stdin: string | Uint8Array,
  stop: Stop,
): Promise<Exit | Failure> {
  const token = randomUUID();
  const line = (): string => runLine(argv, token, Math.ceil(Math.min(stop.remainingMs(), 86_400_000) / 1000) + HOST_MARGIN_S);
  const started = await begin(means, line, token, stop);
  if ("kind" in started) return started;

  const { remote } = started;
  const output = collect(remote, means.maxOutputBytes, stop);
  remote.stdin.end(stdin);
  const ended = await stop.race(remote.ended);
  // A host-side end at the deadline must not pass for the command's own exit because our timer is late.
  if (stop.cause || ended === undefined) {
    const stopped = ended !== undefined && ended !== "lost" ? true : await endRemote(means, remote, token);
    return explain(stop.cause ?? lostCause, stopped, output());
  }
  if (ended === "lost") means.reaper.orphan(token);
  return verdict(ended, output());
}

/** Starts a command and hands its streams out; `held` ends it later on. */
export async function holdCommand(
  means: Means,
  argv: readonly string[],
  opening: Stop,
  held: Stop,
): Promise<{ kind: "open"; channel: Channel } | Failure> {
  const token = randomUUID();
  const started = await begin(means, () => holdLine(argv, token), token, opening);
  if ("kind" in started) return started;
  const { remote } = started;
  return {
    kind: "open",
    channel: {
      stdin: remote.stdin,
      stdout: remote.stdout,
      stderr: remote.stderr,
      ended: watch(means, remote, token, held),
      close: () => held.because({ kind: "aborted", message: "closed by the caller" }),
    },
  };
}

const lostCause: Cause = { kind: "unknown", message: "the connection was lost while the command ran" };
const nothing = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };

async function begin(means: Means, line: () => string, token: string, stop: Stop): Promise<{ remote: Remote } | Failure> {
  const starting = means.lane.start(line, stop);
  const started = await stop.race(starting);
  if (started?.kind === "open" && !stop.cause) return { remote: started.remote };
  if (started?.kind === "failed") {
    if (started.ran === "maybe") means.reaper.orphan(token);
    return failure(started.cause, { stopped: started.ran === "never" });
  }
  return explain(stop.cause ?? lostCause, await abandon(means, starting, token), nothing);
}

// The answer to the exec request is still out. It may come in time, late, or never; in each case the command is to end.
async function abandon(means: Means, starting: Promise<Started>, token: string): Promise<boolean> {
  const end = async (started: Started): Promise<boolean> => {
    if (started.kind === "open") return endRemote(means, started.remote, token);
    return started.ran === "never" || means.reaper.kill(token);
  };
  return Promise.race([starting.then(end), delay(means.killTimeoutMs, true).then(() => false)]);
}

async function endRemote(means: Means, remote: Remote, token: string): Promise<boolean> {
  // The process first, the channel second: a closed channel leaves a silent command alive, and its session taken.
  const killed = await means.reaper.kill(token);
  if (!killed) remote.signal("KILL"); // of some use where the killer has none
  remote.close();
  return killed;
}

async function watch(means: Means, remote: Remote, token: string, held: Stop): Promise<Exit | Failure> {
  const ended = await held.race(remote.ended);
  held.dispose();
  if (ended !== undefined) {
    if (ended === "lost") means.reaper.orphan(token);
    return verdict(ended, nothing);
  }
  if (remote.exited()) {
    remote.close(); // only a child of it holds the outputs
    return verdict((await Promise.race([remote.ended, delay(means.killTimeoutMs, true)])) ?? "lost", nothing);
  }
  return explain(held.cause ?? lostCause, await endRemote(means, remote, token), nothing);
}

function verdict(ended: Ended, output: { stdout: Buffer; stderr: Buffer }): Exit | Failure {
  if (ended === "lost") return failure(lostCause, { stopped: false, ...output });
  if (ended.code === null && ended.signal === null)
    return failure({ kind: "unknown", message: "the host reported neither an exit code nor a signal" }, { stopped: false, ...output });
  return { kind: "exit", ...ended, ...output };
}

function explain(cause: Cause, stopped: boolean, output: { stdout: Buffer; stderr: Buffer }): Failure {
  const after = stopped ? "nothing of it runs on the host" : "it may still run on the host";
  return failure({ ...cause, message: `${cause.message}; ${after}` }, { stopped, ...output });
}

function collect(remote: Remote, limit: number, stop: Stop): () => { stdout: Buffer; stderr: Buffer } {
  let total = 0;
  const gather = (stream: Readable): Buffer[] => {
    const pieces: Buffer[] = [];
    stream.on("data", (piece: Buffer) => {
      const room = limit - total;
      total += piece.length;
      if (room > 0) pieces.push(piece.length > room ? piece.subarray(0, room) : piece);
      if (total <= limit) return;
      const cause = new SshError("output-limit", `it wrote more than ${limit} bytes`);
      stop.because({ kind: "aborted", message: cause.message, cause });
    });
    return pieces;
  };
  const stdout = gather(remote.stdout);
  const stderr = gather(remote.stderr);
  return () => ({ stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) });
}
