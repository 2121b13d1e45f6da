// Commands in images without a shell: a plain kubectl exec. No journal, so its promises are weaker, and the outcome says so.
import type { Channel, Exit, Failure, Open } from "../run.ts";
import type { ExecControl, ExecOutcome, ExecRequest, LiveInput, Piece } from "./outcome.ts";
import { lost } from "./verdict.ts";
import { readEnd } from "./way.ts";

const terminated = /^command terminated with exit code (\d{1,3})$/;
const MAX_STDERR_LINE = 8192;
const LIVE_PIECE_BYTES = 262_144;

/** Runs an argv without the runner. A second attempt always ends as lost: nothing in the pod could tell what the first one did. */
export async function runWithoutShell(
  open: Open,
  argv: readonly string[],
  request: ExecRequest,
  control: ExecControl,
): Promise<ExecOutcome> {
  if (typeof request.command === "string")
    return { kind: "failed", code: "no-shell", message: "the image has no shell: give the command as an argv" };
  if (request.attempt > 1)
    return unknown("an earlier attempt may have run it, and the image has no shell to ask", { stdout: 0, stderr: 0 });
  if (request.cwd !== undefined || Object.keys(request.env ?? {}).length > 0)
    return { kind: "failed", code: "no-shell", message: "the image has no shell: cwd and env cannot be set there" };
  if (control.cancel.aborted) return { kind: "failed", code: "cancelled", message: "it was cancelled before it started" };

  const opened = await open([...argv, "--", ...request.command], { timeoutMs: request.timeoutMs, signal: control.cancel });
  if (opened.kind !== "open") return unopened(opened);
  const startedAt = new Date();
  const { channel } = opened;
  const stop = Promise.withResolvers<"cancel" | "timeout" | "detach">();
  const timer = setTimeout(() => stop.resolve("timeout"), request.timeoutMs);
  const onCancel = (): void => stop.resolve("cancel");
  const onDetach = (): void => stop.resolve("detach");
  control.cancel.addEventListener("abort", onCancel);
  control.detach.addEventListener("abort", onDetach);
  const refuse = (): void => control.signals?.pending().forEach(({ n }) => control.signals?.answer(n, "impossible"));
  const deafen = control.signals?.onMore(refuse);
  refuse();
  try {
    void feed(channel, request);
    const offsets = { stdout: 0, stderr: 0 };
    const pumps = Promise.all([
      pump(channel, "stdout", request.maxOutputBytes, offsets, control),
      pump(channel, "stderr", request.maxOutputBytes, offsets, control),
    ]);
    const stopped = await Promise.race([pumps.then(() => undefined), stop.promise]);
    if (stopped) {
      channel.close();
      const message = `it was to be ended (${stopped}), and without a shell in the image only kubectl could be`;
      return lost("outcome-unknown", message, false, offsets);
    }
    const [stdout, stderr] = await pumps;
    const end = await channel.ended;
    return conclude(end, stderr.lastLine, stderr.text, request, {
      startedAt,
      endedAt: new Date(),
      stdoutBytes: offsets.stdout,
      stderrBytes: offsets.stderr,
      truncated: stdout.cut || stderr.cut,
    });
  } finally {
    clearTimeout(timer);
    deafen?.();
    control.cancel.removeEventListener("abort", onCancel);
    control.detach.removeEventListener("abort", onDetach);
  }
}

type Facts = { startedAt: Date; endedAt: Date; stdoutBytes: number; stderrBytes: number; truncated: boolean };

/** What kubectl's end says: its own last line is the only word on an exit code, and 0 is no word at all. */
function conclude(end: Exit | Failure, lastLine: string, stderr: string, request: ExecRequest, facts: Facts): ExecOutcome {
  const bytes = { stdout: facts.stdoutBytes, stderr: facts.stderrBytes };
  const ended = (exitCode: number): ExecOutcome => ({
    kind: "ended",
    exitCode,
    ...facts,
    leftRunning: 0,
    unverified: true,
    weaker: ["kubectl", "unverified"],
  });
  const code = terminated.exec(lastLine)?.[1];
  if (end.kind === "exit" && code !== undefined && end.code === Number(code)) {
    // kubectl says the same of a container that was killed around the command.
    if (end.code !== 137) return ended(end.code);
    return unknown("kubectl says 137: the command was killed, or its container was", bytes);
  }
  if (end.kind === "exit" && end.code === 0) {
    if (request.trustKubectl) return ended(0);
    return unknown("kubectl exited 0, which it also does when the way is cut; `trustKubectl` takes it for the command's code", bytes);
  }
  if (/executable file not found|exec failed: .*no such file or directory/.test(stderr))
    return { kind: "failed", code: "command-not-found", message: lastLine };
  const obstacle = readEnd(end, stderr);
  if (obstacle.kind === "gone" || obstacle.kind === "not-running")
    return { kind: "failed", code: "pod-not-running", message: obstacle.message };
  if (obstacle.kind === "barred") return { kind: "unreachable", code: obstacle.code, message: obstacle.message, mayHaveStarted: false };
  return unknown(obstacle.message, bytes);
}

function unopened(failure: Failure): ExecOutcome {
  const obstacle = readEnd(failure, failure.stderr.toString());
  const code = "code" in obstacle ? obstacle.code : "cluster-unreachable";
  return { kind: "unreachable", code, message: obstacle.message, mayHaveStarted: failure.kind === "unknown" };
}

function unknown(message: string, bytes: { stdout: number; stderr: number }): ExecOutcome {
  return lost("outcome-unknown", message, false, bytes);
}

async function feed(channel: Channel, { stdin, liveStdin }: ExecRequest): Promise<void> {
  channel.stdin.on("error", () => undefined);
  const given = stdin === undefined ? [] : stdin instanceof Uint8Array ? [stdin] : stdin;
  try {
    for await (const chunk of liveStdin ? piecesOf(liveStdin, channel) : given) {
      if (!channel.stdin.write(chunk)) await Promise.race([once(channel, "drain"), channel.ended]);
    }
    channel.stdin.end();
  } catch {
    channel.close(); // half an input must not look whole
  }
}

async function* piecesOf(source: LiveInput, { ended }: Channel): AsyncGenerator<Uint8Array> {
  const stopped = new AbortController();
  void ended.then(() => stopped.abort());
  for (let offset = 0; ;) {
    const piece = await source.read(offset, LIVE_PIECE_BYTES, stopped.signal);
    if (piece === null) return;
    yield piece;
    offset += piece.length;
    source.taken(offset);
  }
}

function once({ stdin }: Channel, event: string): Promise<void> {
  return new Promise((resolve) => stdin.once(event, () => resolve()));
}

// kubectl adds its verdict to the command's stderr: it is held back until it is known not to be the last line.
async function pump(
  channel: Channel,
  stream: Piece["stream"],
  max: number,
  offsets: { stdout: number; stderr: number },
  control: ExecControl,
): Promise<{ lastLine: string; text: string; cut: boolean }> {
  let held: Buffer = Buffer.alloc(0);
  let text = "";
  const give = async (data: Buffer): Promise<void> => {
    const offset = offsets[stream];
    offsets[stream] += data.length;
    const room = data.subarray(0, Math.max(0, max - offset));
    if (room.length > 0) await control.onOutput([{ stream, offset, data: room }]);
  };
  for await (const chunk of channel[stream] as AsyncIterable<Buffer>) {
    if (stream === "stdout") {
      await give(chunk);
      continue;
    }
    text = (text + chunk.toString("latin1")).slice(-MAX_STDERR_LINE);
    const all = Buffer.concat([held, chunk]);
    const keep = Math.max(0, all.lastIndexOf("command terminated with exit code "), all.length - 64);
    const from = Math.min(keep, all.length);
    await give(all.subarray(0, from));
    held = all.subarray(from);
  }
  const lastLine = text.trimEnd().split("\n").at(-1) ?? "";
  const rest = terminated.test(lastLine) ? held.subarray(0, Math.max(0, held.lastIndexOf("command terminated with exit code "))) : held;
  if (rest.length > 0) await give(rest);
  return { lastLine, text, cut: offsets[stream] > max };
}
