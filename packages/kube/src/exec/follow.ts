// One run over one session: start it or attach to it, fetch its output, see its end. What a session's end cuts off is taken up
// on the next session with the same task.
import { Feed } from "./feed.ts";
import { type Frame, type Summary } from "./frames.ts";
import { Mailbox } from "./mailbox.ts";
import { signalNumbers, type ExecControl, type ExecOutcome, type LiveInput } from "./outcome.ts";
import type { Output } from "./output.ts";
import { calls, type RunCall } from "./protocol.ts";
import type { Letter, Over, Session } from "./session.ts";
import { ended, lost, never, refused, type Why } from "./verdict.ts";

/** What is to be done, and what is known of it so far; lives across sessions. */
export type Task = {
  call: Omit<RunCall, "again" | "inputBytes">;
  /** Puts standard input into the pod, before the start: the number of bytes, or undefined if that came to nothing. */
  input: (session: Session, signal: AbortSignal) => Promise<number | undefined>;
  /** In its place: is fed from the start on. */
  liveInput: LiveInput | undefined;
  timeoutMs: number;
  output: Output;
  /** Whether some session may have been told to start it; the first one here, and the start of the container that it met. */
  told: { ever: boolean; by?: Session; boot?: string };
  /** Set once it is to be ended; then it is not started any more. */
  ending: Why | null;
};

/** How far one session got. */
export type Followed = { kind: "done"; outcome: ExecOutcome } | { kind: "detached" } | { kind: "cut"; over: Over };

type News = Letter | { kind: "cancel" | "detach" | "taken" | "signal" } | { kind: "failed"; error: unknown };

const POLL_MS = 50;
const IDLE_POLL_MS = 90;
const HELD_MS = 250;
const DRAIN_MS = 5000;
const SLICE_BYTES = 1024 * 1024;
const ALONE_SLICE_BYTES = 4 * SLICE_BYTES;
const KILL_MARGIN_MS = 25_000;
const FORGET_AT = 8;
const FORGET_BYTES = 64 * 1024;

/** Follows a run until its end, the caller's word, or the end of the session. Rejects only with what `onOutput` or the input threw. */
export async function follow(session: Session, task: Task, control: ExecControl): Promise<Followed> {
  return new Follower(session, task, control).run();
}

class Follower {
  readonly #session: Session;
  readonly #task: Task;
  readonly #control: ExecControl;
  readonly #news = new Mailbox<News>();
  readonly #id: string;
  #inFlight = 0;
  #pollMs = POLL_MS;
  #pollAt = performance.now() + POLL_MS;
  #known = { stdout: 0, stderr: 0 };
  #final: Summary | undefined;
  #lost: string | undefined;
  #exitedAt: number | undefined;
  #grewAt = 0;
  // Counts in the pod, so it begins with the greeting at the earliest.
  #deadline = Infinity;
  #killedAt: number | undefined;
  #leftPids = 0;
  #settled: boolean | undefined;
  #signalled = 0;
  #tails = new Set<"stdout" | "stderr">();
  #feed: Feed | undefined;

  constructor(session: Session, task: Task, control: ExecControl) {
    this.#session = session;
    this.#task = task;
    this.#control = control;
    this.#id = task.call.id;
  }

  async run(): Promise<Followed> {
    const { cancel, detach } = this.#control;
    const onCancel = (): void => this.#news.put({ kind: "cancel" });
    const onDetach = (): void => this.#news.put({ kind: "detach" });
    const deafen = this.#control.signals?.onMore(() => this.#news.put({ kind: "signal" }));
    const unlisten = this.#session.listen(this.#id, (letter) => this.#news.put(letter));
    this.#task.output.onTaken = () => this.#news.put({ kind: "taken" });
    this.#task.output.forgetAsked();
    cancel.addEventListener("abort", onCancel);
    detach.addEventListener("abort", onDetach);
    if (cancel.aborted) onCancel();
    if (detach.aborted) onDetach();
    try {
      if (this.#task.ending) this.#kill(this.#task.ending);
      else await this.#start();
      this.#signal();
      return await this.#loop();
    } finally {
      this.#feed?.stop();
      unlisten();
      deafen?.();
      cancel.removeEventListener("abort", onCancel);
      detach.removeEventListener("abort", onDetach);
    }
  }

  async #start(): Promise<void> {
    const task = this.#task;
    const session = this.#session;
    const { cancel, detach } = this.#control;
    const inputBytes = task.liveInput ? "live" : await task.input(session, AbortSignal.any([cancel, detach]));
    if (inputBytes === undefined) return; // the news say why
    const again = !task.told.ever ? "never" : task.told.boot === undefined ? "unknown" : { boot: task.told.boot };
    if (!task.told.ever) task.told = { ever: true, by: session };
    session.begun += 1;
    session.send(calls.run({ ...task.call, inputBytes, again }));
    session.forget(FORGET_AT); // behind the start: it costs a fork
    this.#pollAt = performance.now() + POLL_MS;
    if (task.liveInput) this.#feed = new Feed(session, this.#id, task.liveInput, (error) => this.#news.put({ kind: "failed", error }));
  }

  async #loop(): Promise<Followed> {
    for (;;) {
      const { output } = this.#task;
      if (this.#task.told.by === this.#session && this.#session.boot !== undefined) this.#task.told.boot = this.#session.boot;
      if (this.#deadline === Infinity && this.#session.phase !== "opening") this.#deadline = performance.now() + this.#task.timeoutMs;
      const outcome = this.#outcome();
      if (output.failure || outcome) {
        await output.flushed();
        if (outcome?.kind === "ended") this.#settle();
        if (outcome) return { kind: "done", outcome };
      }
      this.#ask();
      const news = await this.#news.take(this.#patienceMs());
      switch (news?.kind) {
        case undefined:
          if (performance.now() >= this.#deadline && this.#killedAt === undefined && !this.#final) this.#kill("timeout");
          break;
        case "taken":
          break;
        case "signal":
          this.#signal();
          break;
        case "cancel":
          if (this.#killedAt === undefined && !this.#final) this.#kill("cancel");
          break;
        case "detach":
          return { kind: "detached" };
        case "over":
          return { kind: "cut", over: news.over };
        case "failed":
          throw news.error;
        case "frame": {
          const done = this.#hear(news.frame);
          if (done) return { kind: "done", outcome: done };
        }
      }
    }
  }

  // All of it is stored: what the journal holds of it may go. Large outputs at once, since its volume is small.
  #settle(): void {
    this.#session.settled.push(this.#id);
    if (Math.max(this.#known.stdout, this.#known.stderr) > FORGET_BYTES) this.#session.forget();
  }

  #kill(why: Why): void {
    this.#task.ending ??= why;
    this.#killedAt = performance.now();
    this.#session.send(calls.kill(this.#id, why, this.#task.call.graceMs));
  }

  // One at a time, so that they arrive in their order.
  #signal(): void {
    const next = this.#control.signals?.pending()[0];
    if (!next || next.n === this.#signalled || this.#killedAt !== undefined) return;
    this.#signalled = next.n;
    this.#session.send(calls.signal(this.#id, next.n, signalNumbers[next.signal]));
  }

  // The end that is known by now, once all its output has arrived.
  #outcome(): ExecOutcome | undefined {
    const { output } = this.#task;
    const session = this.#session;
    const final = this.#final;
    if (final) {
      if (!output.hasAll(final)) return undefined;
      for (const stream of ["stdout", "stderr"] as const)
        if (final[stream].tail > 0 && output.arrived[stream] < final[stream].total) return undefined;
      return ended(final, (ms) => session.wallMs(ms), session.weaker, this.#leftPids);
    }
    if (this.#lost !== undefined && this.#settled !== undefined && !this.#behind()) {
      const replaced = this.#lost === "boot";
      const message = replaced ? "the pod's container was started anew while it ran" : "its processes were killed in the pod";
      return lost(replaced ? "pod-replaced" : "outcome-unknown", message, this.#settled, output.arrived);
    }
    if (this.#killedAt !== undefined && performance.now() > this.#killedAt + this.#task.call.graceMs + KILL_MARGIN_MS)
      return lost("outcome-unknown", "it was to be ended, and the pod does not say that it has", false, output.arrived);
    return undefined;
  }

  #behind(): boolean {
    const { arrived } = this.#task.output;
    return arrived.stdout < this.#known.stdout || arrived.stderr < this.#known.stderr;
  }

  // Two questions at most are out, and two slices at most wait for the caller.
  #ask(): void {
    const { output } = this.#task;
    const session = this.#session;
    const sliceBytes = session.busy > 1 ? SLICE_BYTES : ALONE_SLICE_BYTES;
    if (session.phase === "opening") return;
    while (this.#inFlight < 2 && output.held <= 2 * sliceBytes) {
      const backlog = output.asked.stdout < this.#known.stdout || output.asked.stderr < this.#known.stderr;
      const due = !this.#final && this.#inFlight === 0 && performance.now() >= this.#pollAt;
      if (!backlog && !due) break;
      session.send(calls.get(this.#id, output.asked.stdout, output.asked.stderr, sliceBytes), true);
      output.ask(this.#known, sliceBytes);
      this.#inFlight += 1;
    }
    const final = this.#final;
    if (!final || !output.hasAll(final)) return;
    for (const stream of ["stdout", "stderr"] as const) {
      if (final[stream].tail === 0 || output.arrived[stream] >= final[stream].total || this.#tails.has(stream)) continue;
      this.#tails.add(stream);
      session.send(calls.tail(this.#id, stream === "stdout" ? "o" : "e"), true);
    }
  }

  #patienceMs(): number {
    const now = performance.now();
    const opening = this.#session.phase === "opening";
    const next = this.#inFlight > 0 ? Infinity : Math.max(this.#pollAt, opening ? now + POLL_MS : 0);
    const deadline = this.#killedAt === undefined ? this.#deadline : this.#killedAt + this.#task.call.graceMs + KILL_MARGIN_MS + 1;
    return Math.max(1, Math.min(next, deadline) - now);
  }

  #hear(frame: Extract<Frame, { id: string }>): ExecOutcome | undefined {
    switch (frame.kind) {
      case "claimed":
        this.#pollAt = 0;
        return undefined;
      case "error":
        return this.#refused(frame.why);
      case "exited":
        this.#exitedAt = performance.now();
        this.#pollAt = 0;
        return undefined;
      case "closed":
        this.#conclude(frame.summary);
        if (frame.inline) this.#task.output.take(frame.inline);
        return undefined;
      case "fed":
        this.#feed?.hear(frame);
        return undefined;
      case "tail":
        this.#task.output.takeTail(frame.stream, frame.slice, this.#final?.[frame.stream].total ?? 0);
        return undefined;
      case "killed":
        return this.#killed(frame);
      case "signalled":
        this.#control.signals?.answer(frame.n, frame.answer);
        this.#signal();
        return undefined;
      case "state":
        return this.#look(frame);
    }
  }

  // The command has ended, and what lives on of it holds the pipes; or, unseen, something else does. Until nothing has come for a
  // while the pumps may still be at what the command itself wrote: in a pod that is short of CPU they lag.
  #isHeld({ left }: Summary): boolean {
    const stillMs = performance.now() - Math.max(this.#exitedAt ?? Infinity, this.#grewAt);
    return stillMs >= (left > 0 ? HELD_MS : DRAIN_MS) && !this.#behind();
  }

  // Then more may have gone by than was kept, and nobody has counted yet.
  #isFull({ stdout, stderr }: Summary): boolean {
    return Math.max(stdout.kept, stderr.kept) >= this.#task.call.capBytes;
  }

  #conclude(summary: Summary): void {
    this.#final = summary;
    this.#known = { stdout: summary.stdout.kept, stderr: summary.stderr.kept };
  }

  #refused(why: string): ExecOutcome {
    const task = this.#task;
    if (why === "forgotten")
      return lost("outcome-unknown", "the pod's journal did not outlive the container, so it may have run", true, task.output.arrived);
    if (why === "noclaim" && task.told.boot !== this.#session.boot)
      return lost(
        "outcome-unknown",
        "the pod's journal cannot be written to, and an earlier start may be on its way",
        false,
        task.output.arrived,
      );
    return why === "killed" ? never(task.ending) : refused(why);
  }

  #killed(frame: Extract<Frame, { kind: "killed" }>): ExecOutcome | undefined {
    if (frame.what === "never") return never(this.#task.ending);
    this.#leftPids = frame.pids.length;
    this.#settled = frame.what !== "left";
    this.#pollAt = 0;
    return undefined;
  }

  #look(frame: Extract<Frame, { kind: "state" }>): ExecOutcome | undefined {
    this.#inFlight -= 1;
    const { state, summary } = frame;
    const flowing = frame.stdout.length + frame.stderr.length > 0;
    this.#pollMs = flowing ? POLL_MS : Math.min(IDLE_POLL_MS, this.#pollMs + 10);
    this.#pollAt = performance.now() + this.#pollMs;
    const { stdout, stderr } = summary;
    if (stdout.kept > this.#known.stdout || stderr.kept > this.#known.stderr) this.#grewAt = performance.now();
    if (!this.#final) this.#known = { stdout: summary.stdout.kept, stderr: summary.stderr.kept };
    this.#task.output.take(frame);
    switch (state.name) {
      case "running":
        this.#deadline = performance.now() + this.#task.timeoutMs - (Date.now() - this.#session.wallMs(summary.startedMs));
        return undefined;
      case "closed":
        this.#conclude(summary);
        return undefined;
      case "exited":
        this.#exitedAt ??= performance.now();
        if (this.#isHeld(summary)) this.#conclude({ ...summary, atLeast: this.#isFull(summary) });
        return undefined;
      case "lost":
        this.#lost = state.why;
        if (state.why === "boot") this.#settled = true;
        else if (this.#killedAt === undefined) this.#kill("fence");
        return undefined;
      case "error":
        return this.#refused(state.why);
      case "tomb":
        return never(this.#task.ending ?? (summary.why as Why | null));
      case "none":
        return undefined;
    }
  }
}
