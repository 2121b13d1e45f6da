import { describe, expect, it } from "vitest";
import { expectedOutput, type Mark, type Work } from "../work/command.ts";
import type { Event } from "../work/told.ts";
import { check, explain } from "./check.ts";
import type { History, JobRecord } from "./history.ts";

// Two commands of one pod, one after the other, as they should be; each test breaks one thing.
const pod = "project/p/default";
const work = (token: string): Work => ({ token, lines: 2, padBytes: 0, pauseMs: 10, exitCode: 3, input: null });

function job(id: string, seq: number, change: Partial<JobRecord> = {}): JobRecord {
  return {
    id,
    kind: "exec",
    podKey: pod,
    seq,
    state: "succeeded",
    parallel: false,
    token: `t-${id}`,
    run: 1,
    attempts: [{ n: 1, worker: "w-1-a", startedAtMs: seq * 1000, endedAtMs: seq * 1000 + 500, why: "done" }],
    cancelAsked: false,
    expiry: null,
    key: null,
    givesTtl: false,
    askedImage: null,
    askedTemplate: null,
    made: null,
    clears: false,
    exitCode: 3,
    error: null,
    hasTurn: false,
    history: [
      { version: 1, state: "queued", attempt: 0 },
      { version: 2, state: "running", attempt: 1 },
      { version: 3, state: "succeeded", attempt: 1 },
    ],
    startedAtMs: seq * 1000,
    endedAtMs: seq * 1000 + 500,
    ...expectedOutput(work(`t-${id}`)),
    ...change,
  };
}

function marks(id: string, fromS: number, toS: number, run = "r1"): Mark[] {
  const mark = { token: `t-${id}`, run, host: "h", value: 0 };
  return [
    { ...mark, kind: "start", atS: fromS },
    { ...mark, kind: "end", atS: toS, value: 3 },
  ];
}

function events(id: string, atMs: number, change: { parallel?: boolean; key?: string; ref?: string; retryable?: boolean } = {}): Event[] {
  const { parallel = false, key = null, ref = id, retryable = false } = change;
  const result = { state: "succeeded", code: null, exitCode: 3, ...expectedOutput(work(`t-${id}`)) };
  return [
    { event: "called", ref, pod, asked: { kind: "exec", work: work(`t-${id}`), parallel, retryable, ends: "itself" }, key, atMs },
    { event: "accepted", ref, jobId: id, atMs: atMs + 5 },
    { event: "state", jobId: id, listener: ref, state: "queued", version: 1, atMs: atMs + 6 },
    { event: "state", jobId: id, listener: ref, state: "succeeded", version: 3, atMs: atMs + 60 },
    { event: "result", jobId: id, atMs: atMs + 70, result },
  ];
}

const right: History = {
  events: [...events("a", 10), ...events("b", 20)],
  jobs: [job("a", 1), job("b", 2)],
  marks: [...marks("a", 1, 1.5), ...marks("b", 2, 2.5)],
  epochMs: 0,
  left: [],
};

const swap = (id: string, change: Partial<JobRecord>): JobRecord[] =>
  right.jobs.map((one) => (one.id === id ? { ...one, ...change } : one));
const without = (fits: (event: Event) => boolean): Event[] => right.events.filter((event) => !fits(event));
const told = (id: string, change: object): Event[] =>
  right.events.map((event) =>
    event.event === "result" && event.jobId === id ? { ...event, result: { ...event.result, ...change } } : event,
  );

const broken: [what: string, rule: string, history: Partial<History>][] = [
  ["two commands of one pod at once", "overlap", { marks: [...marks("a", 1, 2.2), ...marks("b", 2, 2.5)] }],
  ["a command that runs before one that was accepted earlier", "order", { marks: [...marks("a", 3, 3.5), ...marks("b", 2, 2.5)] }],
  ["a claim before the end of one that was accepted earlier", "order", { jobs: swap("b", { startedAtMs: 1_400 }) }],
  ["a command that starts twice", "ran-twice", { marks: [...right.marks, ...marks("b", 3, 3.5, "r2")] }],
  ["a command without a job", "not-on-record", { marks: [...right.marks, ...marks("c", 3, 3.5)] }],
  ["a success of what never ran", "result", { marks: marks("a", 1, 1.5) }],
  ["an exit code that is not the command's", "result", { events: told("b", { exitCode: 0 }) }],
  ["a told byte too few", "result", { events: told("b", { stdout: "o t-b 1 \n" }) }],
  ["a told byte twice", "result", { events: told("b", { stderr: `${expectedOutput(work("t-b")).stderr}x` }) }],
  ["a stored byte that is another", "result", { jobs: swap("b", { stdout: "x" }) }],
  [
    "live output that parts",
    "result",
    { events: [...right.events, { event: "output", jobId: "b", stdout: "o t-b 2", stderr: "", whole: true }] },
  ],
  [
    "an accepted job that is not on record",
    "accepted-lost",
    { jobs: [job("a", 1)], marks: marks("a", 1, 1.5), events: without((event) => event.event === "state" || event.event === "result") },
  ],
  [
    "a job that never ends",
    "unfinished",
    {
      jobs: swap("b", { state: "running", endedAtMs: null }),
      events: without((event) => event.event !== "called" && event.event !== "accepted"),
    },
  ],
  [
    "a told end that is not the one on record",
    "told-end",
    { events: told("b", { state: "failed", exitCode: null, stdout: null, stderr: null }) },
  ],
  [
    "an end that is followed by another",
    "move",
    { jobs: swap("b", { history: [...right.jobs[1]!.history, { version: 4, state: "succeeded", attempt: 1 }] }) },
  ],
  [
    "a told state that goes back",
    "move",
    { events: [...right.events, { event: "state", jobId: "b", listener: "b", state: "running", version: 2, atMs: 99 }] },
  ],
  [
    "a failure that nothing explains",
    "cause",
    {
      jobs: swap("b", { state: "failed", error: { code: "internal", message: "?" }, exitCode: null }),
      events: without((event) => event.event === "state" || event.event === "result"),
    },
  ],
  [
    "a loss that nothing explains",
    "cause",
    {
      jobs: swap("b", { state: "lost", error: { code: "pod-replaced", message: "?" }, exitCode: null }),
      events: without((event) => event.event === "state" || event.event === "result"),
    },
  ],
  ["two jobs for one idempotency key", "idempotency", { events: [...events("a", 10, { key: "k" }), ...events("b", 20, { key: "k" })] }],
  ["something left over", "left-over", { left: ["namespace x is left"] }],
];

describe("the checker", () => {
  it("finds nothing in a history that is as it should be", () => {
    expect(check(right)).toEqual([]);
  });

  it.each(broken)("finds %s", (_, rule, change) => {
    const history = { ...right, ...change };
    const found = check(history);
    expect(found.map((one) => one.rule)).toContain(rule);
    expect(explain(found[0]!, history)[0]).toMatch(/^[a-z-]+: ./);
  });

  it("lets parallel commands overlap each other", () => {
    const both = {
      ...right,
      jobs: right.jobs.map((one) => ({ ...one, parallel: true, startedAtMs: 1_000 })),
      marks: [...marks("a", 1, 2.2), ...marks("b", 2, 2.5)],
    };
    expect(check({ ...both, events: [...events("a", 10, { parallel: true }), ...events("b", 20, { parallel: true })] })).toEqual([]);
  });

  it("lets jobs run in either order whose enqueues overlapped", () => {
    const overlapping = [...events("a", 10), ...events("b", 12)];
    const seqs = [job("a", 2), job("b", 1)];
    expect(check({ ...right, events: overlapping, jobs: seqs, marks: [...marks("a", 2, 2.5), ...marks("b", 1, 1.5)] })).toEqual([]);
  });

  it("lets a retryable command start once in each of its runs", () => {
    const twice = { ...right, jobs: swap("b", { run: 2 }), marks: [...right.marks, ...marks("b", 3, 3.5, "r2")] };
    expect(check({ ...twice, events: [...events("a", 10), ...events("b", 20, { retryable: true })] })).toEqual([]);
  });

  it("takes a cancel for explained by a later delete that clears the line, and by no other", () => {
    const gone = job("d", 3, { kind: "delete", token: null, stdout: "", stderr: "", exitCode: null });
    const cancelled = swap("b", {
      state: "cancelled",
      error: { code: "cancelled", message: "" },
      exitCode: null,
      startedAtMs: null,
      stdout: "",
      stderr: "",
    });
    const quiet = without((event) => event.event === "state" || event.event === "result");
    const rules = (clears: boolean): string[] =>
      check({
        ...right,
        marks: marks("a", 1, 1.5),
        jobs: [...cancelled, { ...gone, clears }],
        events: [
          ...quiet,
          { event: "called", ref: "d", pod, asked: { kind: "delete", clears }, key: null, atMs: 30 },
          { event: "accepted", ref: "d", jobId: "d", atMs: 31 },
        ],
      }).map(({ rule }) => rule);
    expect(rules(true)).toEqual([]);
    expect(rules(false)).toEqual(["cause"]);
  });

  it.for([1.5, 9])("takes a failure for explained when the pod was deleted before it, wherever in line that was (%s)", (seq) => {
    const gone = job("d", seq, {
      startedAtMs: 1_600,
      endedAtMs: 1_700,
      kind: "delete",
      token: null,
      stdout: "",
      stderr: "",
      exitCode: null,
    });
    const failed = swap("b", {
      state: "failed",
      error: { code: "pod-not-running", message: "it is deleted" },
      exitCode: null,
      stdout: "",
      stderr: "",
    });
    const quiet = without((event) => event.event === "state" || event.event === "result");
    expect(check({ ...right, events: quiet, jobs: [...failed, gone] }).map(({ rule }) => rule)).toEqual([]);
  });
});
