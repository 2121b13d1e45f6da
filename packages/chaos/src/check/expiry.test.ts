import { expect, it } from "vitest";
import type { Event } from "../work/told.ts";
import { expiries, idleAfterMs } from "./expiry.ts";
import type { JobRecord } from "./history.ts";

const pod = "project/p/default";
const deadlineMs = 100_000;
const ttlKey = `podq:ttl:3:${new Date(deadlineMs).toISOString()}`;

function job(id: string, beganAtMs: number, endedAtMs: number | null, change: Partial<JobRecord> = {}): JobRecord {
  const attempts = [{ n: 1, worker: "w", startedAtMs: beganAtMs, endedAtMs, why: null }];
  return { id, podKey: pod, state: "succeeded", attempts, endedAtMs, expiry: null, key: null, ...change } as JobRecord;
}

const ofTtl = (id: string, beganAtMs: number, change: Partial<JobRecord> = {}): JobRecord =>
  job(id, beganAtMs, beganAtMs + 500, { kind: "delete", expiry: "ttl", key: ttlKey, ...change });
const ofIdle = (beganAtMs: number, change: Partial<JobRecord> = {}): JobRecord =>
  job("i", beganAtMs, beganAtMs + 500, { kind: "stop", expiry: "idle", key: "podq:idle:3:x", ...change });
const extended = (usedAtMs: number, ttlAtMs: number | null, generation = 3): Event => ({
  event: "extended",
  pod,
  generation,
  usedAtMs,
  ttlAtMs,
});
const accepted = (jobId: string, atMs: number): Event => ({ event: "accepted", ref: jobId, jobId, atMs });

const late = deadlineMs + 1_000;

it.each<[what: string, jobs: JobRecord[], events: Event[], wrong: RegExp | null]>([
  ["a delete when the time is over", [ofTtl("d", late)], [], null],
  ["a delete before that", [ofTtl("d", deadlineMs - 50)], [], /50 ms before/],
  [
    "a delete of a pod that was extended before its turn",
    [ofTtl("d", late)],
    [extended(deadlineMs - 10, late + 5_000)],
    /may live for 4500 ms more/,
  ],
  ["a delete of a pod that was extended when its turn had come", [ofTtl("d", late)], [extended(late + 10, late + 5_000)], null],
  [
    "a delete of a pod whose time was made longer and shorter again",
    [ofTtl("d", late)],
    [extended(1, late + 5_000), extended(2, deadlineMs)],
    null,
  ],
  [
    "a delete of a pod that was extended, and created with a deadline since",
    [job("c", 3, 4, { kind: "create", givesTtl: true }), ofTtl("d", late)],
    [extended(2, late + 5_000)],
    null,
  ],
  ["a delete of a pod whose life before was extended", [ofTtl("d", late)], [extended(1, late + 5_000, 2)], null],
  ["a delete that was not due any more", [ofTtl("d", deadlineMs - 50, { state: "cancelled" })], [], null],
  ["two deletes for one life", [ofTtl("d", late), ofTtl("e", late + 900)], [], /deleted 2 times/],
  ["an idle pod's end", [ofIdle(10_000), job("a", 1_000, 7_000)], [], null],
  ["an idle pod's end right after a job", [ofIdle(10_000), job("a", 1_000, 9_900)], [], /600 ms after the end of job a/],
  [
    "an idle pod's end right after another one that was not due",
    [ofIdle(10_000), { ...ofIdle(9_000), id: "j", state: "cancelled" }],
    [],
    null,
  ],
  ["an idle pod's end with a job behind it", [ofIdle(10_000), job("a", 10_600, 11_000)], [accepted("a", 9_800)], /had job a/],
  ["an idle pod's end before a job that came too late", [ofIdle(10_000), job("a", 10_600, 11_000)], [accepted("a", 10_001)], null],
  ["an idle pod's end after a report of use", [ofIdle(10_000)], [extended(10_000 - idleAfterMs + 900, null)], /said to be in use/],
  ["an idle pod's end long after a report of use", [ofIdle(10_000)], [extended(5_000, null)], null],
])("judges %s", (_, jobs, events, wrong) => {
  const found = expiries({ jobs, events, marks: [], left: [], epochMs: 0 }).map(({ message }) => message);
  expect(found.join("; ")).toMatch(wrong ?? /^$/);
});
