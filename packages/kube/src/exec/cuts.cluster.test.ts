// Commands that print numbered lines while whatever leads to them is killed at random. PODQ_TEST_CUTS says how many (default 20),
// PODQ_TEST_SEED repeats a series. On a real cluster PODQ_TEST_CLUSTER_PART may name a program, `part kill NAME` and `part start
// NAME`, that ends and starts its parts. What was done stands on standard error.
import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { clusterFixture, eventually, type ClusterFixture } from "../testing.ts";
import { createExecs, type Execs } from "./exec.ts";
import type { ExecOutcome, ExecTarget } from "./outcome.ts";
import { barePod, begin, createdPod, inPod, killKubectl, relay, type Begun, type Relay } from "./testing.ts";

const runs = Number(process.env.PODQ_TEST_CUTS ?? 20);
const seed = Number(process.env.PODQ_TEST_SEED ?? randomInt(2 ** 31));
const part = process.env.PODQ_TEST_CLUSTER_PART;
const podCount = Math.min(10, Math.ceil(runs / 2));
const LINES = 1000;

let on: ClusterFixture;
let ways: Relay[];
let pods: ExecTarget[];
let workers: Execs[];
const began = performance.now();
const log = (text: string): void => void process.stderr.write(`cuts ${((performance.now() - began) / 1000).toFixed(2)} s: ${text}\n`);

beforeAll(async () => {
  log(`${runs} runs, PODQ_TEST_SEED=${seed}`);
  on = await clusterFixture();
  ways = await Promise.all([relay(on), relay(on)]);
  workers = ways.map(({ pool }) => createExecs({ open: (argv, options) => pool.open(argv, options) }));
  const home = on.identity("cuts");
  const first = await createdPod(on, home);
  pods = [first];
  while (pods.length < podCount) pods.push(await barePod(on, home, `cuts-${pods.length}`, {})); // all at once they would starve each other
});
afterAll(async () => {
  await Promise.all(workers.map((execs) => execs.close()));
  await Promise.all(ways.map((way) => way.stop()));
  await on.stop();
});

// The same numbers for the same seed, as far as the machine's timing lets them meet the same moments.
function dice(from: number): (below: number) => number {
  let state = from >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

// Ten seconds of lines, a handful at a time.
const command = (name: string, code: number): string =>
  `echo ${name} >>/workspace/starts; i=0; while [ $i -lt ${LINES} ]; do echo o$i; echo e$i >&2; i=$((i + 1)); [ $((i % 10)) != 0 ] || sleep 0.09; done; exit ${code}`;
const whole = (letter: string): string => Array.from({ length: LINES }, (_, i) => `${letter}${i}\n`).join("");

type Run = { name: string; code: number; begun: Begun };

// One command to its end, by one worker after another.
async function follow(run: Run, target: ExecTarget): Promise<{ outcome: ExecOutcome; stdout: string; stderr: string }> {
  const told = { stdout: "", stderr: "" };
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await run.begun.outcome;
    for (const stream of ["stdout", "stderr"] as const) told[stream] += run.begun.ear.text(stream);
    if (outcome.kind !== "detached") return { outcome, ...told };
    const from = { stdout: told.stdout.length, stderr: told.stderr.length };
    run.begun = begin(workers[attempt % workers.length]!, target, { ...run.begun.request, attempt: attempt + 1, from });
  }
}

function injections(current: Run[]): ((roll: ReturnType<typeof dice>) => Promise<void>)[] {
  const { embedded } = on.cluster;
  const common = [
    async (roll: ReturnType<typeof dice>) => {
      const pod = pods[roll(pods.length)]!;
      log(`kill -9 of ${killKubectl(pod)} kubectl of ${pod.pod}`);
    },
    async (roll: ReturnType<typeof dice>) => {
      const at = roll(ways.length);
      log(`cut of ${ways[at]!.cut()} SSH connections of worker ${at}`);
    },
    async (roll: ReturnType<typeof dice>) => {
      const run = current[roll(current.length)]!;
      log(`${run.name} is handed over`);
      run.begun.detach.abort();
    },
  ];
  if (!embedded) return common;
  return [
    ...common,
    async (roll) => {
      const fault = { at: "exec", end: (["cut", "silent", "success"] as const)[roll(3)]!, afterMs: roll(400) } as const;
      log(`the next exec ends with ${fault.end} after ${fault.afterMs} ms`);
      embedded.script(fault, { namespace: pods[0]!.namespace, times: 1 });
    },
    async (roll) => {
      const forMs = 50 + roll(400);
      log(`no API server for ${forMs} ms`);
      await embedded.pause();
      await delay(forMs);
      await embedded.resume();
    },
  ];
}

async function crash(name: string, downMs: number): Promise<void> {
  log(`kill of ${name}, down for ${downMs} ms`);
  await promisify(execFile)(part!, ["kill", name], { timeout: 60_000 });
  await delay(downMs);
  await promisify(execFile)(part!, ["start", name], { timeout: 60_000 });
  log(`${name} is back`);
}

it(
  "no byte is lost or repeated, no command starts twice, and each has its own exit code",
  async () => {
    const roll = dice(seed);
    const faults: object[] = [];
    for (let done = 0; done < runs; done += pods.length) {
      const current = pods.slice(0, runs - done).map((target, i): Run => {
        const [name, code] = [`cut-${done + i}`, 1 + roll(200)];
        const begun = begin(workers[i % workers.length]!, target, { jobId: name, command: command(name, code), timeoutMs: 120_000 });
        return { name, code, begun };
      });
      const over = new AbortController();
      const ends = Promise.all(current.map((run, i) => follow(run, pods[i]!))).finally(() => over.abort());
      const crashing = part && roll(2) === 0 ? crash(["apiserver", "kubelet", "containerd", "sshd"][roll(4)]!, roll(1500)) : undefined;
      while (!over.signal.aborted) {
        await Promise.race([delay(50 + roll(500)), ends]);
        const choice = injections(current);
        if (!over.signal.aborted) await choice[roll(choice.length)]!(roll);
      }
      for (const [i, { outcome, stdout, stderr }] of (await ends).entries()) {
        const { name, code } = current[i]!;
        const right = outcome.kind === "ended" && outcome.exitCode === code && stdout === whole("o") && stderr === whole("e");
        if (!right) faults.push({ name, code, outcome, stdout: stdout.length, stderr: stderr.length });
      }
      await crashing;
    }
    on.cluster.embedded?.heal();
    expect(faults).toEqual([]);
    const marks = await eventually("the pods answer", async () =>
      Promise.all(pods.map((pod) => inPod(on, pod, "cat /workspace/starts"))).catch(() => undefined),
    );
    const starts = marks.flatMap((text) => text.trimEnd().split("\n")).toSorted();
    expect(starts).toEqual(Array.from({ length: runs }, (_, i) => `cut-${i}`).toSorted());
  },
  60_000 + runs * 10_000,
);
