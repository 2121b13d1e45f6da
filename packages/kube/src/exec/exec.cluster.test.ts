// What every command may rely on, on every cluster: results, streams, arguments, bounds.
import { createHash, randomBytes } from "node:crypto";
import { posix } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clusterFixture, eventually, type ClusterFixture } from "../testing.ts";
import { createExecs, type Execs } from "./exec.ts";
import type { ExecRequest, ExecTarget } from "./outcome.ts";
import { begin, createdPod, inPod, processesOf, run } from "./testing.ts";

let on: ClusterFixture;
let execs: Execs;
let pod: ExecTarget;

beforeAll(async () => {
  on = await clusterFixture();
  execs = createExecs({ open: (argv, options) => on.pool.open(argv, options), pingMs: 2000 });
  pod = await createdPod(on, on.identity("exec"));
});
afterAll(async () => {
  await execs.close();
  await eventually("all channels are given back", async () => (on.pool.stats().channels.busy === 0 ? true : undefined));
  await on.stop();
});

const exec = (change: Partial<ExecRequest>): ReturnType<typeof run> => run(execs, pod, change);
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

// Texts that break what quotes badly, 200 of them, the same in every run.
const nasty = [
  "\n",
  "\r",
  "\t",
  " ",
  "}\n",
  "\u0001",
  "\u001b[0m",
  "\u007f",
  ...`' " \\ \`id\` $(id) \${HOME} $$ * ? [a] ~ ! # % %s & ; | < >`.split(" "),
];
const more = "( ) { } \\' \\n \\0 -- -n = ü 語 🜚".split(" ");
const corpus = fc.sample(
  fc.oneof(
    fc.array(fc.constantFrom(...nasty, ...more), { minLength: 1, maxLength: 8 }).map((parts) => parts.join("")),
    fc.string({ unit: "binary", maxLength: 30 }).filter((text) => !text.includes("\0")),
    fc.string({ unit: "grapheme-ascii", maxLength: 40 }),
  ),
  { numRuns: 200, seed: 4 },
);

describe("exit codes", () => {
  it("are the command's own, all 256 of them", async () => {
    const codes = Array.from({ length: 256 }, (_, code) => code);
    const outcomes = await Promise.all(codes.map((code) => exec({ command: ["sh", "-c", `exit ${code}`] })));
    expect(outcomes.map(({ outcome }) => outcome.kind === "ended" && outcome.exitCode)).toEqual(codes);
  });

  it("are 128 + n after a signal, and say nothing of podq unless podq sent it", async () => {
    for (const [name, n] of [
      ["HUP", 1],
      ["ABRT", 6],
      ["KILL", 9],
      ["USR1", 10],
      ["SEGV", 11],
      ["ALRM", 14],
      ["TERM", 15],
    ] as const) {
      const { outcome } = await exec({ command: `ulimit -c 0; kill -${name} $$` });
      expect(outcome).toMatchObject({ kind: "ended", exitCode: 128 + n });
      expect(outcome).not.toHaveProperty("signal");
      expect(outcome).not.toHaveProperty("why");
    }
  });

  it("are 127 for what is not there and 126 for what may not be executed", async () => {
    expect((await exec({ command: ["/no/such/command"] })).outcome).toMatchObject({ kind: "ended", exitCode: 127 });
    expect((await exec({ command: ["/etc/passwd"] })).outcome).toMatchObject({ kind: "ended", exitCode: 126 });
  });

  it("come with the time at which the command ran", async () => {
    const before = Date.now();
    const { outcome } = await exec({ command: ["sleep", "0.5"] });
    if (outcome.kind !== "ended") throw new Error(JSON.stringify(outcome));
    const ranMs = outcome.endedAt.getTime() - outcome.startedAt.getTime();
    expect(ranMs).toBeGreaterThanOrEqual(490);
    expect(ranMs).toBeLessThan(1500);
    // The pod's clock of uptime is counted from the greeting, whose way takes its time.
    expect(outcome.startedAt.getTime()).toBeGreaterThan(before - 500);
    expect(outcome.endedAt.getTime()).toBeLessThan(Date.now() + 500);
  });
});

describe("output", () => {
  it("comes apart by stream, with its sizes", async () => {
    expect(await exec({ command: "echo out; echo err >&2; echo more" })).toEqual({
      outcome: expect.objectContaining({ kind: "ended", exitCode: 0, stdoutBytes: 9, stderrBytes: 4, truncated: false, leftRunning: 0 }),
      stdout: "out\nmore\n",
      stderr: "err\n",
    });
  });

  it("is 5 MB of any bytes, the same ones, on both streams", async () => {
    const script = "head -c 5000000 /dev/urandom >b; sha256sum <b; cat b >&2; rm b";
    const { ear, outcome } = begin(execs, pod, { command: script });
    expect(await outcome).toMatchObject({ kind: "ended", exitCode: 0, stderrBytes: 5_000_000, truncated: false });
    expect(`${sha256(ear.bytes("stderr"))}  -\n`).toBe(ear.text("stdout"));
  });

  it("may be written byte by byte", async () => {
    const { stdout, stderr } = await exec({ command: "i=0; while [ $i -lt 2000 ]; do printf o; printf e >&2; i=$((i + 1)); done" });
    expect([stdout, stderr]).toEqual(["o".repeat(2000), "e".repeat(2000)]);
  });

  it("may be closed by the command long before it ends", async () => {
    expect(await exec({ command: "echo x; exec >&- 2>&-; sleep 0.5; exit 7" })).toMatchObject({
      outcome: { kind: "ended", exitCode: 7, stdoutBytes: 2, stderrBytes: 0 },
      stdout: "x\n",
    });
  });

  it("may look like the runner's own words", async () => {
    const jobId = "imitated";
    const frames = [
      "podq1 0123456789abcdef ready 1-aa 5 1 ,",
      `Z ${jobId}.1 0 - 0 1 2 0 0 0 0 0 0 = 0`,
      `X ${jobId}.1 0 - 1 1 2`,
      `G ${jobId}.1 closed 0 - 0 1 2 0 0 0 0 0 0 = 0 0 0 0`,
      `K ${jobId}.1 gone`,
      `E ${jobId}.1 cwd`,
      `D ${jobId}.1`,
      "P 1",
      "command terminated with exit code 0",
    ];
    const text = `${frames.join("\n")}\n`;
    const echoed = await exec({
      jobId,
      command: ["sh", "-c", 'printf %s "$1"; printf %s "$1" >&2; sleep 0.3; printf %s "$1"; exit 42', "sh", text],
    });
    expect(echoed).toMatchObject({ outcome: { kind: "ended", exitCode: 42 }, stdout: text + text, stderr: text });
  });

  it("is told while the command runs", async () => {
    const { ear, outcome, cancel } = begin(execs, pod, { command: "echo now; exec sleep 60" });
    await eventually("the first line", async () => (ear.text("stdout") === "now\n" ? true : undefined), 5000);
    cancel.abort();
    expect(await outcome).toMatchObject({ kind: "ended", why: "cancel" });
  });

  it("beyond the cap is kept at its beginning and its end, and counted", async () => {
    const script = "i=100000; while [ $i -lt 160000 ]; do echo $i; i=$((i + 1)); done; echo end >&2";
    const whole = Array.from({ length: 60_000 }, (_, i) => `${i + 100_000}\n`).join("");
    const { ear, outcome } = begin(execs, pod, { command: script, maxOutputBytes: 10_240 });
    const ended = await outcome;
    if (ended.kind !== "ended") throw new Error(JSON.stringify(ended));
    expect(ended).toMatchObject({ exitCode: 0, truncated: true, stderrBytes: 4 });
    const total = ended.stdoutBytes;
    // What the dead pump had in its hands is not counted, and the result says so.
    expect(ended.atLeast).toBe(true);
    expect(total).toBeLessThanOrEqual(whole.length);
    expect(total).toBeGreaterThan(whole.length - 128 * 1024);
    expect(ear.gaps).toEqual([{ stream: "stdout", from: 10_240, to: total - 65_536 }]);
    expect(ear.text("stdout")).toBe(whole.slice(0, 10_240) + whole.slice(-65_536));
    expect(ear.text("stderr")).toBe("end\n");
  });

  it("ends the call with what its taker throws", async () => {
    const [cancel, detach] = [new AbortController().signal, new AbortController().signal];
    const { request } = begin(execs, pod, {});
    const running = execs.run(
      pod,
      { ...request, jobId: "thrower", command: ["echo", "x"] },
      {
        cancel,
        detach,
        onOutput: () => Promise.reject(new Error("no room")),
      },
    );
    await expect(running).rejects.toThrow("no room");
  });
});

// Pieces that are shorter, as long and longer than what goes in at once.
async function* pieces(): AsyncGenerator<Uint8Array> {
  for (const size of [1, 0, 32_768, 7, 100_000, 32_769]) yield Buffer.alloc(size, size % 251);
}

describe("what a command is given", () => {
  it("trap: is its arguments, whatever is in them", async () => {
    const { stdout } = await exec({ command: ["sh", "-c", 'printf "%s\\0" "$@"', "sh", ...corpus] });
    expect(stdout.split("\0").slice(0, -1)).toEqual(corpus);
  });

  it("is its environment, whatever is in it", async () => {
    const env = Object.fromEntries(corpus.map((text, i) => [`V_${i}`, text]));
    const { stdout } = await exec({ command: ["cat", "/proc/self/environ"], env });
    const seen = stdout.split("\0").filter((line) => line.startsWith("V_"));
    expect(seen.toSorted()).toEqual(
      Object.entries(env)
        .map(([name, text]) => `${name}=${text}`)
        .toSorted(),
    );
  });

  it("is its directory, whatever its name", async () => {
    const dirs = corpus.map((text, i) => `/workspace/q/${i}/${text}`);
    await exec({ command: ["mkdir", "-p", "--", ...dirs] });
    const seen = await Promise.all(dirs.map((cwd) => exec({ cwd, command: ["readlink", "/proc/self/cwd"] })));
    expect(seen.map(({ stdout }) => stdout)).toEqual(dirs.map((dir) => `${posix.resolve(dir)}\n`));
  });

  it("is its input, whatever is in it, and then the end", async () => {
    const stdin = Buffer.from(corpus.join("\0"));
    expect(await exec({ command: ["cat"], stdin })).toMatchObject({ stdout: corpus.join("\0") });
    const bytes = randomBytes(3_000_000);
    const { ear, outcome } = begin(execs, pod, { command: ["cat"], stdin: bytes });
    expect(await outcome).toMatchObject({ kind: "ended", exitCode: 0, stdoutBytes: bytes.length });
    expect(sha256(ear.bytes("stdout"))).toBe(sha256(bytes));
  });

  it("is its input from a stream, in pieces of any size", async () => {
    const whole = Buffer.concat((await Array.fromAsync(pieces())).map((piece) => Buffer.from(piece)));
    const { ear, outcome } = begin(execs, pod, { command: ["cat"], stdin: pieces() });
    await outcome;
    expect(ear.bytes("stdout").equals(whole)).toBe(true);
  });

  it("is nothing as input unless it was given some", async () => {
    expect(await exec({ command: ["cat"] })).toMatchObject({ outcome: { kind: "ended", exitCode: 0 }, stdout: "" });
    expect(await exec({ command: ["cat"], stdin: new Uint8Array() })).toMatchObject({ outcome: { exitCode: 0 }, stdout: "" });
  });

  it("does not have to read its input", async () => {
    const { outcome } = await exec({ command: ["true"], stdin: randomBytes(500_000) });
    expect(outcome).toMatchObject({ kind: "ended", exitCode: 0 });
  });

  it("trap: may be an argument that is empty, or long", async () => {
    const long = "x".repeat(100_000);
    const { stdout } = await exec({ command: ["sh", "-c", 'printf "%s|" "$#" "$@"', "sh", "", "a", "", long, ""] });
    expect(stdout).toBe(`5||a||${long}||`);
  });

  it("may be a text for the pod's shell", async () => {
    const { stdout } = await exec({ command: `a='it'"'"'s'; printf '%s\n' "$a" "$(echo sub)" | cat` });
    expect(stdout).toBe("it's\nsub\n");
  });

  it("is refused before anything runs if its directory is not there", async () => {
    const { outcome } = await exec({ cwd: "/no/such", command: ["touch", "/workspace/ran"] });
    expect(outcome).toMatchObject({ kind: "failed", code: "cwd-not-found" });
    expect(await inPod(on, pod, "ls /workspace")).not.toMatch(/^ran$/m);
  });

  it.each<[string, Partial<ExecRequest>]>([
    ["an id with a blank", { jobId: "a b" }],
    ["an id that is too long", { jobId: "a".repeat(200) }],
    ["a relative directory", { cwd: "sub" }],
    ["an empty command", { command: [] }],
    ["a NUL in an argument", { command: ["a\0b"] }],
    ["a NUL in a variable", { env: { A: "\0" } }],
    ["a variable without a name", { env: { "": "x" } }],
    ["a variable with = in its name", { env: { "A=B": "x" } }],
    ["podq's own variable", { env: { PODQ_RUN: "x" } }],
  ])("is refused at the edge: %s", async (_what, change) => {
    await expect(exec(change)).rejects.toThrow(RangeError);
  });
});

// Leaves something behind that left the session without our environment.
const stray = (seconds: number): string => `env -i setsid sleep ${seconds} >/dev/null 2>&1 & echo started; sleep 0.2`;

describe("the end of a command", () => {
  it("trap: does not wait for what it left in the background", async () => {
    const before = performance.now();
    const { outcome, stdout } = await exec({ command: 'sleep 4711 & (trap "" HUP; exec sleep 4712 >/dev/null 2>&1) & echo started' });
    expect(performance.now() - before).toBeLessThan(5000);
    expect(stdout).toBe("started\n");
    expect(outcome).toMatchObject({ kind: "ended", exitCode: 0, leftRunning: 2 });
    expect((await processesOf(on, pod)).filter((line) => /sleep 471[12]/.test(line))).toHaveLength(2);
    await inPod(on, pod, "for d in /proc/[0-9]*; do if grep -q 'sleep.471[12]' $d/cmdline; then kill ${d#/proc/}; fi; done");
  });

  it("counts what left the session without our environment, unless that can be another command's", async () => {
    const { outcome: alone } = await exec({ command: stray(4713), exclusive: true });
    expect(alone).toMatchObject({ kind: "ended", exitCode: 0, leftRunning: 1 });
    expect(alone).not.toHaveProperty("unverified");
    const beside = begin(execs, pod, { command: "echo on; exec sleep 4714" });
    await eventually("it runs", async () => (beside.ear.text("stdout") === "on\n" ? true : undefined));
    expect((await exec({ command: stray(4715) })).outcome).toMatchObject({ kind: "ended", exitCode: 0, leftRunning: 0, unverified: true });
    beside.cancel.abort();
    await beside.outcome;
    await inPod(on, pod, "for d in /proc/[0-9]*; do if grep -q 'sleep.471[35]' $d/cmdline; then kill ${d#/proc/}; fi; done");
    const { outcome: after } = await exec({ exclusive: true });
    expect(after).toMatchObject({ kind: "ended", leftRunning: 0 });
    expect(after).not.toHaveProperty("unverified");
  });

  it("counts nothing of a session that another worker opened meanwhile", async () => {
    const long = begin(execs, pod, { command: "echo on; sleep 2" });
    await eventually("it runs", async () => (long.ear.text("stdout") === "on\n" ? true : undefined));
    const other = createExecs({ open: (argv, options) => on.pool.open(argv, options) });
    await run(other, pod, {});
    const outcome = await long.outcome;
    await other.close();
    expect(outcome).toMatchObject({ kind: "ended", exitCode: 0, leftRunning: 0 });
    expect(outcome).not.toHaveProperty("unverified");
  });

  it("trap: is its time-out, for children that ignore TERM or left the session too", async () => {
    const script =
      'trap "" TERM; setsid sleep 4721 & (trap "" TERM; sleep 4722; sleep 4723) & env -i sleep 4724 & echo on; sleep 4725; sleep 4726';
    const { outcome, stdout } = await exec({ command: script, timeoutMs: 1000, graceMs: 500 });
    expect(outcome).toMatchObject({ kind: "ended", exitCode: 137, why: "timeout", signal: "SIGKILL", leftRunning: 0 });
    expect(stdout).toBe("on\n");
    expect((await processesOf(on, pod)).filter((line) => /472/.test(line))).toEqual([]);
  });

  it("is cancelled, and the grace time is there to be used", async () => {
    const { ear, outcome, cancel } = begin(execs, pod, {
      command: "trap 'echo bye; exit 5' TERM; echo on; while :; do sleep 0.05; done",
      graceMs: 5000,
    });
    await eventually("its trap is set", async () => (ear.text("stdout") === "on\n" ? true : undefined));
    cancel.abort();
    expect(await outcome).toMatchObject({ kind: "ended", exitCode: 5, why: "cancel" });
    expect(ear.text("stdout")).toBe("on\nbye\n");
    const plain = begin(execs, pod, { command: "echo on; exec sleep 4731" });
    await eventually("it runs", async () => (plain.ear.text("stdout") === "on\n" ? true : undefined));
    plain.cancel.abort();
    expect(await plain.outcome).toMatchObject({ kind: "ended", exitCode: 143, why: "cancel", signal: "SIGTERM" });
  });

  it("comes before its start if it was cancelled by then", async () => {
    const { request } = begin(execs, pod, {});
    const control = { cancel: AbortSignal.abort(), detach: new AbortController().signal, onOutput: async () => undefined };
    const outcome = await execs.run(pod, { ...request, jobId: "cancelled-first", command: ["touch", "/workspace/cancelled"] }, control);
    expect(outcome).toMatchObject({ kind: "failed", code: "cancelled" });
    expect(await inPod(on, pod, "ls /workspace")).not.toMatch(/^cancelled$/m);
  });
});

async function noZombies(): Promise<void> {
  await eventually("no zombie", async () => {
    const script = "grep -h '^State' /proc/[0-9]*/status | grep -c Z";
    return (await inPod(on, pod, `${script}; true`)) === "0\n" ? true : undefined;
  });
}

describe("what podq leaves in a pod", () => {
  it("is nothing in /workspace, one variable, and no process of an ended run", async () => {
    const { stdout } = await exec({ command: "env | grep -c PODQ; ls -A /workspace | grep -v '^q$'; pwd", cwd: "/workspace" });
    expect(stdout).toBe("1\n/workspace\n");
    await noZombies(); // the runner collects its ended handlers when it is pinged
  });

  it("trap: orphans of commands go to the pod's first process, which reaps them", async () => {
    const orphans = "for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 0.3 >/dev/null 2>&1 &); done";
    expect((await exec({ command: orphans })).outcome).toMatchObject({ kind: "ended", exitCode: 0 });
    await eventually("they have ended", async () =>
      (await processesOf(on, pod)).some((line) => line.startsWith("sleep 0.3")) ? undefined : true,
    );
    await noZombies();
  });
});
