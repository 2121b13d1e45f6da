// As much of a pod as the runner needs: a shell behind pipes, a directory for its journal. For tests.
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Channel, Exit, Open } from "../run.ts";
import { FrameReader, type Frame } from "./frames.ts";
import { program } from "./program.ts";
import { calls, type RunCall } from "./protocol.ts";

/** The shells that a runner must work in. `applets`: it takes its own env, setsid, ... before any on the PATH. `missing` says why one cannot be tried here. */
export const shells: readonly { name: string; argv: readonly string[]; applets: boolean; missing: string | undefined }[] = [
  { name: "dash", argv: ["dash"], applets: false },
  { name: "bash --posix", argv: ["bash", "--posix"], applets: false },
  { name: "busybox ash", argv: ["busybox", "sh"], applets: true },
].map((shell) => Object.assign(shell, { missing: installed(shell.argv[0]!) ? undefined : `${shell.argv[0]} is not installed` }));

function installed(name: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${name}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

type Streams = { child: ChildProcess; channel: Channel; bulk: boolean };

/** Stands in for the pod: every `open` is one more shell in it; of the argv only what the shell is told. */
export class LocalPod {
  readonly dir: string = mkdtempSync(join(tmpdir(), "podq-exec-"));
  /** The directory that outlives the container. */
  readonly kept: string = join(this.dir, "podq");
  readonly opened: Streams[] = [];
  readonly #argv: readonly string[];
  readonly #env: NodeJS.ProcessEnv;
  readonly #tools: string | undefined;

  /** `tools`: a directory that goes when the pod stops. */
  constructor(shell: readonly string[], env: NodeJS.ProcessEnv = process.env, tools?: string) {
    this.#tools = tools;
    // Node gives a child sockets; a container's streams are pipes, which can be opened once more through /proc.
    this.#argv = ["sh", "-c", '"$@" | cat', "sh", ...shell];
    this.#env = env;
    mkdirSync(this.kept);
  }

  readonly open: Open = (argv) => Promise.resolve({ kind: "open", channel: this.start(argv.slice(argv.indexOf("--") + 2)).channel });

  /** The journal's directory. */
  get journal(): string {
    return join(this.kept, ".podq1");
  }

  start(more: readonly string[] = []): Streams {
    const [file = "", ...args] = [...this.#argv, ...more];
    const child = spawn(file, args, { cwd: this.dir, env: this.#env, stdio: ["pipe", "pipe", "pipe"] });
    const none = Buffer.alloc(0);
    const ended = new Promise<Exit>((resolve) => {
      child.once("close", (code, signal) => resolve({ kind: "exit", code, signal, stdout: none, stderr: none }));
    });
    child.stdin.on("error", () => undefined);
    const channel: Channel = { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, ended, close: () => cut(child) };
    const streams = { child, channel, bulk: more.length > 0 };
    this.opened.push(streams);
    return streams;
  }

  async stop(): Promise<void> {
    for (const { child } of this.opened) cut(child);
    await Promise.all(this.opened.map(({ channel }) => channel.ended));
    if (this.#tools !== undefined) rmSync(this.#tools, { recursive: true, force: true });
    for (let tries = 0; ; tries += 1) {
      try {
        return rmSync(this.dir, { recursive: true, force: true });
      } catch (error) {
        // Something of the last test still writes its records.
        if (tries > 50) throw error;
        await delay(100);
      }
    }
  }
}

// What a killed kubectl looks like from inside: input at its end, output to nobody.
function cut(child: ChildProcess): void {
  child.stdin?.destroy();
  child.stdout?.destroy();
  child.stderr?.destroy();
}

/** A call that runs `true`. */
export const plainCall: RunCall = {
  id: "job.1",
  token: "token",
  deadlineS: 60,
  graceMs: 500,
  capBytes: 1024 * 1024,
  inlineBytes: 65_536,
  inputBytes: 0,
  alone: false,
  again: "never",
  cwd: "",
  fence: [],
  env: [],
  argv: ["true"],
};

let serial = 0;

/** A session with the runner by hand: lines go out, frames are waited for. */
export class Talk {
  readonly child: ChildProcess;
  readonly frames: Frame[] = [];
  readonly channel: Channel;
  #wake: () => void = () => undefined;

  constructor(pod: LocalPod, bounds: { lookS?: number; idleS?: number; dirs?: readonly string[]; reading?: boolean } = {}) {
    const { lookS = 1, idleS = 60, dirs = [pod.kept], reading = true } = bounds;
    const nonce = `n${process.pid}-${++serial}`;
    const reader = new FrameReader(nonce);
    const { child, channel } = pod.start();
    this.child = child;
    this.channel = channel;
    channel.stderr.resume();
    if (reading)
      channel.stdout.on("data", (chunk: Buffer) => {
        this.frames.push(...reader.push(chunk));
        this.#wake();
      });
    this.send(program);
    this.send(calls.boot(nonce, lookS, idleS, dirs));
  }

  send(line: Buffer | string): void {
    this.channel.stdin.write(line);
  }

  /** Starts a command; the id is new for each, unless given. */
  run(call: Partial<RunCall>): string {
    const unique = `job-${++serial}.1`;
    const id = call.id ?? unique;
    this.send(calls.run({ ...plainCall, id, token: `t${process.pid}x${serial}`, ...call }));
    return id;
  }

  /** The first frame of a kind, of a run or of any; it is taken out. */
  async frame<K extends Frame["kind"]>(kind: K, id?: string, timeoutMs = 20_000): Promise<Extract<Frame, { kind: K }>> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const at = this.frames.findIndex((frame) => frame.kind === kind && (id === undefined || ("id" in frame && frame.id === id)));
      const found = this.frames.splice(at, at < 0 ? 0 : 1)[0];
      if (found) return found as Extract<Frame, { kind: K }>;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new Error(`no ${kind} of ${id ?? "any run"}; there is ${JSON.stringify(this.frames).slice(-2000)}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await Promise.race([promise, delay(Math.min(leftMs, 1000))]);
    }
  }

  /** Runs to the end and gives the last frame with its output. */
  async result(
    call: Partial<RunCall>,
  ): Promise<{ exitCode: number | null; why: string | null; stdout: string; stderr: string; left: number }> {
    const { summary, inline } = await this.frame("closed", this.run(call));
    const text = (stream: "stdout" | "stderr"): string => Buffer.concat(inline?.[stream].pieces ?? []).toString();
    return { exitCode: summary.exitCode, why: summary.why, left: summary.left, stdout: text("stdout"), stderr: text("stderr") };
  }

  /** The state of a run, asked until it fits. */
  async state(
    id: string,
    fits: (frame: Extract<Frame, { kind: "state" }>) => boolean,
    maxBytes = 0,
  ): Promise<Extract<Frame, { kind: "state" }>> {
    const deadline = performance.now() + 20_000;
    for (;;) {
      this.send(calls.get(id, 0, 0, maxBytes));
      const state = await this.frame("state", id);
      if (fits(state)) return state;
      if (performance.now() > deadline) throw new Error(`gave up on ${id}: ${JSON.stringify(state)}`);
      await delay(20);
    }
  }

  cut(): void {
    cut(this.child);
  }
}

/** An argv for a script. */
export const sh = (script: string): string[] => ["sh", "-c", script];

/** Waits until something holds. */
export async function eventually(what: string, holds: () => boolean, timeoutMs = 15_000): Promise<void> {
  for (const deadline = performance.now() + timeoutMs; !holds(); await delay(20)) {
    if (performance.now() > deadline) throw new Error(`gave up: ${what}`);
  }
}

/** How many living processes carry this text in their environment. */
export function carrying(text: string): number {
  const { stdout } = spawnSync("sh", ["-c", `grep -l -- "$1" /proc/[0-9]*/environ 2>/dev/null`, "sh", text]);
  return stdout.toString().split("\n").filter(Boolean).length;
}

/** Waits until nothing of a run lives, by ending it from another session. */
export async function endRun(pod: LocalPod, id: string): Promise<string> {
  const other = new Talk(pod);
  await other.frame("ready");
  other.send(calls.kill(id, "cancel", 0));
  return (await other.frame("killed", id)).what;
}

const imageTools = "sh bash dash busybox mkdir mkfifo cat sleep grep rm dd find env ls true setsid stat tail head touch".split(" ");

/** A pod whose PATH holds what a runner may use, but for the tools `without`, with scripts of our own as `instead`. */
export function poorPod(shell: readonly string[], without: readonly string[], instead: Readonly<Record<string, string>> = {}): LocalPod {
  const tools = mkdtempSync(join(tmpdir(), "podq-tools-"));
  for (const name of imageTools.filter((one) => !without.includes(one) && !(one in instead))) {
    const path = spawnSync("sh", ["-c", `command -v ${name}`])
      .stdout.toString()
      .trim();
    if (path.startsWith("/")) symlinkSync(path, join(tools, name));
  }
  // wx: written through one of the links, a script would replace the machine's own tool.
  for (const [name, script] of Object.entries(instead)) writeFileSync(join(tools, name), script, { mode: 0o755, flag: "wx" });
  return new LocalPod(shell, { PATH: tools }, tools);
}
