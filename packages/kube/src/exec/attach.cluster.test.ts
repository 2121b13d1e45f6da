// A command outlives whatever led to it: sessions, connections, processes, callers. And it starts once, whoever asks how often.
import { createHash, randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { clusterFixture, eventually, type ClusterFixture } from "../testing.ts";
import { createExecs, type ExecEvent, type Execs } from "./exec.ts";
import type { ExecTarget } from "./outcome.ts";
import { begin, createdPod, inPod, killKubectl, processesOf, relay, run, Source, type Begun, type Relay } from "./testing.ts";

let on: ClusterFixture;
let way: Relay;
let pod: ExecTarget;
const events: ExecEvent[] = [];
const open: Execs[] = [];

beforeAll(async () => {
  on = await clusterFixture();
  way = await relay(on);
  pod = await createdPod(on, on.identity("attach"));
});
afterEach(async () => {
  events.length = 0;
  on.cluster.embedded?.heal();
  await Promise.all(open.splice(0).map((execs) => execs.close()));
});
afterAll(async () => {
  await eventually("all channels are given back", async () => (way.pool.stats().channels.busy === 0 ? true : undefined));
  await way.stop();
  await on.stop();
});

// One more process that runs commands, as a worker and its successor.
function worker(options: Parameters<typeof createExecs>[0] | object = {}): Execs {
  const execs = createExecs({ open: (argv, bounds) => way.pool.open(argv, bounds), onEvent: (event) => events.push(event), ...options });
  open.push(execs);
  return execs;
}

// 200 lines on each stream in about 2 s, and a line in FILE for each start.
const counting = (file: string, naps = 20): string =>
  `echo start >>/workspace/${file}; i=0; while [ $i -lt 200 ]; do echo o$i; echo e$i >&2; i=$((i + 1)); [ $((i % ${200 / naps})) != 0 ] || sleep 0.1; done; exit 9`;
const lines = (letter: string): string => Array.from({ length: 200 }, (_, i) => `${letter}${i}\n`).join("");
const starts = (file: string): Promise<string> => inPod(on, pod, `cat /workspace/${file}`);

async function expectWhole({ ear, outcome }: Begun, file: string): Promise<void> {
  expect(await outcome).toMatchObject({ kind: "ended", exitCode: 9, stdoutBytes: lines("o").length, stderrBytes: lines("e").length });
  expect([ear.text("stdout"), ear.text("stderr")]).toEqual([lines("o"), lines("e")]);
  expect(await starts(file)).toBe("start\n");
}

const some = ({ ear }: Begun): Promise<true> => eventually("some output", async () => (ear.pieces.length > 0 ? true : undefined));

describe("a running command", () => {
  it("trap: lives on when kubectl is killed, and is followed on", async () => {
    const begun = begin(worker(), pod, { command: counting("killed") });
    for (let kills = 0; kills < 3; kills += 1) {
      const seen = begun.ear.pieces.length;
      await eventually("more output", async () => (begun.ear.pieces.length > seen ? true : undefined));
      expect(killKubectl(pod)).toBeGreaterThan(0);
    }
    await expectWhole(begun, "killed");
    expect(events.length).toBeGreaterThanOrEqual(3);
  });

  it("is followed on when the SSH connection is cut", async () => {
    const begun = begin(worker(), pod, { command: counting("cut") });
    await some(begun);
    expect(way.cut()).toBeGreaterThan(0);
    await expectWhole(begun, "cut");
    expect(events).toEqual([expect.objectContaining({ kind: "cut", obstacle: "down" })]);
  });

  it.for(["cut", "silent", "success"] as const)("trap: kubectl's word is not taken for its end: %s", async (end, test) => {
    test.skip(on.cluster.kind === "real", "only the embedded cluster plays this");
    on.cluster.embedded!.script({ at: "exec", end, afterBytes: 300 }, { namespace: pod.namespace, times: 2 });
    const begun = begin(worker(), pod, { command: counting(`word-${end}`) });
    await expectWhole(begun, `word-${end}`);
    expect(events).toHaveLength(2);
  });

  it("goes on alone when its caller detaches, and another one attaches at any byte", async () => {
    const first = begin(worker(), pod, { command: counting("detached") });
    await some(first);
    first.detach.abort();
    expect(await first.outcome).toEqual({ kind: "detached" });
    const from = { stdout: first.ear.bytes("stdout").length - 1, stderr: 0 };
    const second = begin(worker(), pod, { ...first.request, attempt: 2, from });
    expect(await second.outcome).toMatchObject({ kind: "ended", exitCode: 9 });
    expect(first.ear.text("stdout").slice(0, from.stdout) + second.ear.text("stdout")).toBe(lines("o"));
    expect(second.ear.text("stderr")).toBe(lines("e"));
    expect(await starts("detached")).toBe("start\n");
  });

  it("is fed on at the byte that the pod has, by whoever comes", async () => {
    const bytes = randomBytes(6 * 1024 * 1024);
    const source = new Source();
    source.write(bytes.subarray(0, 2_000_000));
    const first = begin(worker(), pod, { command: ["sha256sum"], liveStdin: source });
    await eventually("all is taken", async () => (source.takenTo === 2_000_000 ? true : undefined));
    expect(killKubectl(pod)).toBeGreaterThan(0);
    source.write(bytes.subarray(2_000_000, 4_000_000));
    await eventually("more is taken", async () => (source.takenTo > 2_500_000 ? true : undefined));
    expect(way.cut()).toBeGreaterThan(0);
    await eventually("all is taken", async () => (source.takenTo === 4_000_000 ? true : undefined));
    first.detach.abort();
    await first.outcome;
    source.write(bytes.subarray(4_000_000), true);
    const second = begin(worker(), pod, { ...first.request, attempt: 2 });
    expect(await second.outcome).toMatchObject({ kind: "ended", exitCode: 0 });
    expect(second.ear.text("stdout")).toBe(`${createHash("sha256").update(bytes).digest("hex")}  -\n`);
  });

  it("trap: survives the end of the resident shell", async () => {
    const script = "echo one; read -r p c s main rest </proc/$PPID/stat; kill -KILL $main; sleep 0.5; echo two; exit 6";
    const { outcome, stdout } = await run(worker(), pod, { command: script });
    expect(outcome).toMatchObject({ kind: "ended", exitCode: 6 });
    expect(stdout).toBe("one\ntwo\n");
  });

  it("trap: is lost when its handler is killed, with what was seen, and nothing of it lives on", async () => {
    const begun = begin(worker(), pod, { command: "echo seen; sleep 0.3; kill -KILL $PPID; sleep 5123" });
    expect(await begun.outcome).toMatchObject({ kind: "lost", code: "outcome-unknown", settled: true, stdoutBytes: 5 });
    expect(begun.ear.text("stdout")).toBe("seen\n");
    expect((await processesOf(on, pod)).filter((line) => line.includes("5123"))).toEqual([]);
  });

  it("trap: is ended at its deadline with nobody connected, and the next attempt hears of it", async () => {
    const begun = begin(worker(), pod, { command: "echo on; exec sleep 5124", timeoutMs: 1000, graceMs: 100 });
    await some(begun);
    begun.detach.abort();
    await begun.outcome;
    await Promise.all(open.splice(0).map((execs) => execs.close()));
    // The watchdog looks every 5 s, and leaves 2 s to the client whose timer it is.
    const alive = async (): Promise<boolean> => (await processesOf(on, pod)).some((line) => line.includes("sleep 5124"));
    await eventually("it is gone", async () => ((await alive()) ? undefined : true));
    const { outcome } = await run(worker(), pod, { ...begun.request, attempt: 2 });
    expect(outcome).toMatchObject({ kind: "ended", exitCode: 143, why: "timeout", signal: "SIGTERM" });
  });

  it("is cancelled by an attempt that only came to do that", async () => {
    const begun = begin(worker(), pod, { command: "echo on; exec sleep 5125" });
    await some(begun);
    begun.detach.abort();
    await begun.outcome;
    const second = begin(worker(), pod, { ...begun.request, attempt: 2 });
    second.cancel.abort();
    expect(await second.outcome).toMatchObject({ kind: "ended", exitCode: 143, why: "cancel" });
  });
});

describe("a command starts once", () => {
  it("trap: for ten attempts at once, by the sessions of two workers in one pod", async () => {
    const workers = [worker(), worker()];
    const runs = Array.from({ length: 10 }, (_, i) =>
      begin(workers[i % 2]!, pod, { jobId: `shared-${i >> 1}`, attempt: 1 + (i % 2), command: counting(`shared-${i >> 1}`, 2) }),
    );
    for (const [i, begun] of runs.entries()) await expectWhole(begun, `shared-${i >> 1}`);
    expect(events).toEqual([]);
    expect(runs).toHaveLength(10);
  });

  it("however often kubectl is killed while it is being sent", async () => {
    const execs = worker();
    const runs = Array.from({ length: 12 }, (_, i) =>
      begin(execs, pod, {
        jobId: `sent-${i}`,
        command: `echo start >>/workspace/sent-${i}; echo ran`,
        env: { PADDING: "x".repeat(60_000) },
      }),
    );
    for (let kills = 0; kills < 4;) kills += await eventually("a kubectl", async () => killKubectl(pod) || undefined, 3000).catch(() => 4);
    for (const [i, { ear, outcome }] of runs.entries()) {
      expect(await outcome).toMatchObject({ kind: "ended", exitCode: 0 });
      expect(ear.text("stdout")).toBe("ran\n");
      expect(await starts(`sent-${i}`)).toBe("start\n");
    }
  });

  it("and never if a later one has fenced it off; one that runs is ended first", async () => {
    const running = begin(worker(), pod, {
      jobId: "fenced",
      command: "echo on; trap 'sleep 0.3; echo gone >>/workspace/order; exit' TERM; while :; do sleep 0.05; done",
    });
    await some(running);
    const next = await run(worker(), pod, { command: "cat /workspace/order", fence: ["fenced.1", "ghost.1"], graceMs: 3000 });
    expect(next).toMatchObject({ outcome: { kind: "ended", exitCode: 0 }, stdout: "gone\n" });
    expect(await running.outcome).toMatchObject({ kind: "ended", why: "cancel" });
    const ghost = await run(worker(), pod, { jobId: "ghost", attempt: 2, command: "touch /workspace/ghost" });
    expect(ghost.outcome).toMatchObject({ kind: "failed", code: "cancelled" });
    expect(await inPod(on, pod, "ls /workspace")).not.toMatch(/^ghost$/m);
  });

  it("and alone in its pod, if it is exclusive", async () => {
    const other = begin(worker(), pod, { command: "echo on; exec sleep 5126" });
    await some(other);
    const { stdout } = await run(worker(), pod, {
      exclusive: true,
      command: "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep 512[6]'; true",
    });
    expect(stdout).toBe("0\n");
    expect(await other.outcome).toMatchObject({ kind: "ended", exitCode: 143 });
  });

  it("and its output can be read again from any byte when it is over", async () => {
    const first = await run(worker(), pod, { jobId: "over", command: "echo 0123456789; echo e >&2; exit 3" });
    expect(first.stdout).toBe("0123456789\n");
    const again = await run(worker(), pod, { jobId: "over", attempt: 2, from: { stdout: 4, stderr: 2 }, command: ["false"] });
    expect(again).toMatchObject({
      outcome: { kind: "ended", exitCode: 3, stdoutBytes: 11, stderrBytes: 2 },
      stdout: "456789\n",
      stderr: "",
    });
  });
});

describe("the kept sessions", () => {
  it("are one for a pod, and closed when they idle", async () => {
    const execs = worker({ idleMs: 300 });
    await Promise.all(Array.from({ length: 20 }, () => run(execs, pod, {})));
    expect(execs.stats()).toMatchObject({ sessions: 1, busy: 0, waiting: 0, opened: 1 });
    await eventually("it is closed", async () => (execs.stats().sessions === 0 ? true : undefined));
    await eventually("its kubectl is gone", async () => (way.pool.stats().channels.busy === 0 ? true : undefined));
  });

  it("are replaced after their number of commands, while what runs in them goes on", async () => {
    const execs = worker({ spentAfter: 3 });
    const long = begin(execs, pod, { command: counting("spent", 10) });
    for (let i = 0; i < 5; i += 1) expect((await run(execs, pod, {})).outcome).toMatchObject({ kind: "ended", exitCode: 0 });
    expect(execs.stats().opened).toBe(2);
    await expectWhole(long, "spent");
  });

  it("make more commands wait than one takes at once", async () => {
    const execs = worker({ maxRunsPerSession: 2 });
    const runs = Array.from({ length: 6 }, () => run(execs, pod, { command: ["sleep", "0.2"] }));
    expect(execs.stats()).toMatchObject({ busy: 1, waiting: 4 });
    for (const { outcome } of await Promise.all(runs)) expect(outcome).toMatchObject({ kind: "ended", exitCode: 0 });
  });
});
