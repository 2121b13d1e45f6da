// Commands in pods that are short of something, and in pods that go away.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PodIdentity } from "../names.ts";
import { clusterFixture, eventually, type ClusterFixture } from "../testing.ts";
import { createExecs, type Execs } from "./exec.ts";
import type { ExecRequest, ExecTarget } from "./outcome.ts";
import { barePod, begin, createdPod, inPod, processesOfHost, run, Source, type BarePod, type Begun } from "./testing.ts";

const real = process.env.PODQ_TEST_CLUSTER === "real";

let on: ClusterFixture;
let execs: Execs;
let home: PodIdentity;
let created: ExecTarget;

beforeAll(async () => {
  on = await clusterFixture();
  execs = createExecs({ open: (argv, options) => on.pool.open(argv, options) });
  home = on.identity("home");
  created = await createdPod(on, home);
});
afterAll(async () => {
  await execs.close();
  await eventually("all channels are given back", async () => (on.pool.stats().channels.busy === 0 ? true : undefined));
  await on.stop();
});

const podLike = (name: string, change: BarePod): Promise<ExecTarget> => barePod(on, home, name, change);
const some = ({ ear }: Begun): Promise<true> => eventually("some output", async () => (ear.pieces.length > 0 ? true : undefined));

describe("an image without a shell", () => {
  let pod: ExecTarget;
  let serial = 0;
  beforeAll(async () => {
    pod = await podLike("no-shell", { image: on.cluster.imageNoShell, command: ["/pause"] });
  });

  // Its one program waits for a signal; TERM is an exit with 0.
  async function paused(signal: NodeJS.Signals, trustKubectl: boolean, change: Partial<ExecRequest> = {}): Promise<Begun> {
    const mark = `mark-${process.pid}-${++serial}`;
    const begun = begin(execs, pod, { command: ["/pause", mark], trustKubectl, ...change });
    const pid = await eventually("it runs", async () => processesOfHost((argv) => argv[0] === "/pause" && argv[1] === mark)[0]);
    process.kill(pid, signal);
    return begun;
  }

  it("runs an argv, and tells an exit code that is not 0", async () => {
    expect(await (await paused("SIGHUP", false)).outcome).toMatchObject({
      kind: "ended",
      exitCode: 129,
      unverified: true,
      weaker: ["kubectl", "unverified"],
    });
  });

  it("is sent its input as it is written, and does not wait for the end of it", async () => {
    const source = new Source();
    source.write("more will come");
    expect(await (await paused("SIGHUP", false, { liveStdin: source })).outcome).toMatchObject({ kind: "ended", exitCode: 129 });
    expect(source.takenTo).toBe(14);
  });

  it("trap: cannot tell 0 from a cut, unless kubectl is trusted", async () => {
    expect(await (await paused("SIGTERM", false)).outcome).toMatchObject({ kind: "lost", code: "outcome-unknown" });
    expect(await (await paused("SIGTERM", true)).outcome).toMatchObject({ kind: "ended", exitCode: 0, weaker: ["kubectl", "unverified"] });
  });

  it("has no answer for a second attempt", async () => {
    expect((await run(execs, pod, { command: ["/pause"], attempt: 2 })).outcome).toMatchObject({ kind: "lost", code: "outcome-unknown" });
  });

  it("has no answer for a second attempt that meets it first", async () => {
    const fresh = createExecs({ open: (argv, options) => on.pool.open(argv, options) });
    expect((await run(fresh, pod, { command: ["/pause"], attempt: 2 })).outcome).toMatchObject({ kind: "lost", code: "outcome-unknown" });
    await fresh.close();
  });

  it("refuses what only a shell can do", async () => {
    for (const change of [{ command: "echo" }, { command: ["/pause"], cwd: "/" }, { command: ["/pause"], env: { A: "1" } }])
      expect((await run(execs, pod, change)).outcome).toMatchObject({ kind: "failed", code: "no-shell" });
  });

  it("says what is not there", async () => {
    expect((await run(execs, pod, { command: ["/nope"] })).outcome).toMatchObject({ kind: "failed", code: "command-not-found" });
  });
});

describe("a journal", () => {
  it("trap: lies beside a root that is read-only", async () => {
    const pod = await podLike("read-only", { readOnlyRoot: true });
    const { outcome, stdout } = await run(execs, pod, { command: "touch /tmp/x || echo refused; pwd" });
    expect(stdout).toBe("refused\n/workspace\n");
    expect(outcome).toMatchObject({ kind: "ended", exitCode: 0 });
    expect(outcome).not.toHaveProperty("weaker");
  });

  it("lies in /tmp if it must, which is said; what it forgot with the container is not started again", async () => {
    const pod = await podLike("in-tmp", { journal: null });
    expect((await run(execs, pod, {})).outcome).toMatchObject({ kind: "ended", weaker: ["journal"] });
    const begun = begin(execs, pod, { command: "echo start >>/workspace/starts; echo on; sleep 0.5; kill -TERM 1; sleep 60" });
    expect(await begun.outcome).toMatchObject({ kind: "lost", code: "outcome-unknown", settled: true, stdoutBytes: 3 });
    expect((await run(execs, pod, { command: "cat /workspace/starts" })).stdout).toBe("start\n");
  });

  it("that can lie nowhere is a failure before anything starts", async () => {
    const pod = await podLike("nowhere", { journal: null, readOnlyRoot: true });
    const { outcome } = await run(execs, pod, { command: "touch /workspace/ran" });
    expect(outcome).toMatchObject({ kind: "failed", code: "journal-unavailable" });
    expect(await inPod(on, pod, "ls /workspace")).toBe("");
    expect((await run(execs, pod, { attempt: 2 })).outcome).toMatchObject({ kind: "lost", code: "outcome-unknown" });
  });

  it("trap: that takes no claim is a failure before anything starts", async () => {
    await run(execs, created, {});
    await inPod(on, created, "ln -s /dev/full /podq/.podq1/full.1.c");
    const { outcome } = await run(execs, created, { jobId: "full", command: "touch /workspace/full" });
    expect(outcome).toMatchObject({ kind: "failed", code: "journal-unavailable" });
    expect(await inPod(on, created, "ls /workspace")).not.toMatch(/full/);
    expect((await run(execs, created, {})).outcome).toMatchObject({ kind: "ended", exitCode: 0 });
  });

  it("trap: that is full stops no command, and says what it could not keep", async (test) => {
    test.skip(!real, "on the embedded cluster a volume in memory is a folder without a size");
    const pod = await podLike("full", { journal: { emptyDir: { medium: "Memory", sizeLimit: "1Mi" } } });
    const flood = begin(execs, pod, { command: "head -c 3000000 /dev/zero; echo end >&2; exit 8" });
    const outcome = await flood.outcome;
    expect(outcome).toMatchObject({ kind: "ended", exitCode: 8, truncated: true, atLeast: true });
    await inPod(on, pod, "dd if=/dev/zero of=/podq/rest bs=4096 2>/dev/null; true");
    expect((await run(execs, pod, { command: "touch /workspace/ran" })).outcome).toMatchObject({
      kind: "failed",
      code: "journal-unavailable",
    });
    expect(await inPod(on, pod, "ls /workspace")).toBe("");
    await inPod(on, pod, "rm -f /podq/rest /podq/.podq1/*.o");
    expect((await run(execs, pod, { command: "exit 5" })).outcome).toMatchObject({ kind: "ended", exitCode: 5 });
  });
});

describe("a pod without memory", () => {
  it("trap: a command that is killed for its memory is not said to be killed by podq", async (test) => {
    test.skip(!real, "the embedded cluster limits no memory");
    const pod = await podLike("memory", {});
    const { outcome } = await run(execs, pod, { command: "tail /dev/zero" });
    // Where the kernel kills all of a container at once, it is started anew.
    const known = outcome.kind === "lost" ? outcome.code : outcome.kind === "ended" ? outcome.exitCode : outcome.kind;
    expect([137, "pod-replaced"]).toContain(known);
    expect(outcome).not.toHaveProperty("signal");
    expect(outcome).not.toHaveProperty("why");
    expect((await run(execs, pod, { command: "exit 3" })).outcome).toMatchObject({ kind: "ended", exitCode: 3 });
  });
});

describe("a pod that goes away", () => {
  it("trap: with its container: the run is lost, with what was seen; the next one runs in the new container", async () => {
    const begun = begin(execs, created, { command: "echo on; sleep 0.3; kill -TERM 1; sleep 60" });
    expect(await begun.outcome).toMatchObject({ kind: "lost", code: "pod-replaced", settled: true, stdoutBytes: 3 });
    expect(begun.ear.text("stdout")).toBe("on\n");
    expect((await run(execs, created, { command: "exit 4" })).outcome).toMatchObject({ kind: "ended", exitCode: 4 });
  });

  it("for good: what runs is lost, what is asked for later fails", async () => {
    const pod = await podLike("deleted", {});
    const begun = begin(execs, pod, { command: "echo on; exec sleep 60" });
    await some(begun);
    await on.admin(["delete", "pod", pod.pod, `--namespace=${pod.namespace}`, "--wait=false"]);
    expect(await begun.outcome).toMatchObject({ kind: "lost", code: "pod-replaced", settled: true, stdoutBytes: 3 });
    expect((await run(execs, pod, {})).outcome).toMatchObject({ kind: "failed", code: "pod-not-running" });
  });

  it("never was: a first attempt fails, a second cannot know", async () => {
    const pod = { ...created, pod: "no-such-pod", podUid: "none" };
    expect((await run(execs, pod, {})).outcome).toMatchObject({ kind: "failed", code: "pod-not-running" });
    expect((await run(execs, pod, { attempt: 2 })).outcome).toMatchObject({ kind: "lost", code: "pod-replaced" });
  });
});

describe("a way that is barred", () => {
  it.each([
    ["kubectl-missing", ["/nonexistent/kubectl"]],
    ["cluster-unreachable", ["kubectl", "--server=https://127.0.0.1:1", "--token=x"]],
  ])("is reported as %s, and whether the command may have started", async (code, kubectl) => {
    const other = createExecs({ open: (argv, options) => on.pool.open(argv, options), kubectl, startMarginMs: 500, marginMs: 0 });
    expect((await run(other, created, {})).outcome).toMatchObject({ kind: "unreachable", code, mayHaveStarted: false });
    expect((await run(other, created, { attempt: 2, timeoutMs: 500, graceMs: 0 })).outcome).toMatchObject({
      kind: "unreachable",
      code,
      mayHaveStarted: true,
    });
    await other.close();
  });
});
