// What commands did, against what is on record and what callers were told.
import { expectedOutput } from "../work/command.ts";
import type { Event } from "../work/told.ts";
import { callsOf, groupBy, startsOf, type Call, type History, type Violation } from "./history.ts";

/** Commands that started more often than they may, or without a job. */
export function starts({ jobs, marks, events }: History): Violation[] {
  const known = new Map(jobs.flatMap((job) => (job.token === null ? [] : [[job.token, job] as const])));
  const retryable = new Set(callsOf(events).flatMap(({ asked }) => (asked.kind === "exec" && asked.retryable ? [asked.work.token] : [])));
  const found: Violation[] = [];
  const begun = groupBy(startsOf(marks), ({ token }) => token);
  for (const [token, all] of begun) {
    const job = known.get(token);
    const runs = all.map(({ run, fromS }) => `${run} at ${fromS} s`).join(", ");
    if (job === undefined) found.push({ rule: "not-on-record", jobs: [], message: `${token} ran, and no job is on record for it` });
    else if (all.length > (retryable.has(token) ? job.run : 1))
      found.push({ rule: "ran-twice", jobs: [job.id], message: `${token} started ${all.length} times: ${runs}` });
  }
  return found;
}

/** Exit codes and bytes that callers were told and that are not the command's. */
export function told(history: History): Violation[] {
  return results(history, (judge) => {
    for (const event of history.events)
      if (event.event === "result") judge(event.jobId, "told", event.result);
      else if (event.event === "output" && event.whole) judge(event.jobId, "live output", { ...event, ...endOf(history.jobs, event) });
  });
}

/** The same of what is on record. */
export function recorded(history: History): Violation[] {
  return results(history, (judge) => {
    for (const job of history.jobs) if (job.kind === "exec") judge(job.id, "on record", job);
  });
}

type Seen = { state: string; exitCode: number | null; stdout: string | null; stderr: string | null };
type Judge = (jobId: string, where: string, seen: Seen) => void;

function results({ events, marks }: History, visit: (judge: Judge) => void): Violation[] {
  const ended = groupBy(startsOf(marks), ({ token }) => token);
  const calls = new Map(callsOf(events).flatMap((call) => (call.jobId === null ? [] : [[call.jobId, call] as const])));
  const found: Violation[] = [];
  visit((jobId, where, seen) => {
    const asked = calls.get(jobId)?.asked;
    if (asked?.kind !== "exec") return;
    for (const message of wrongIn(asked, ended.get(asked.work.token) ?? [], seen))
      found.push({ rule: "result", jobs: [jobId], message: `${where}: ${message}` });
  });
  return found;
}

function endOf(jobs: History["jobs"], { jobId }: Extract<Event, { event: "output" }>): { state: string; exitCode: number | null } {
  const job = jobs.find(({ id }) => id === jobId);
  return { state: job?.state ?? "unknown", exitCode: job?.exitCode ?? null };
}

function wrongIn(asked: Extract<Call["asked"], { kind: "exec" }>, begun: readonly { exitCode: number | null }[], seen: Seen): string[] {
  const expected = expectedOutput(asked.work);
  const wrong: string[] = [];
  const succeeded = seen.state === "succeeded";
  if (succeeded && !begun.some(({ exitCode }) => exitCode !== null)) wrong.push("it succeeded, and never came to its end");
  if (succeeded && seen.exitCode !== asked.work.exitCode) wrong.push(`exit code ${seen.exitCode} instead of ${asked.work.exitCode}`);
  for (const stream of ["stdout", "stderr"] as const) {
    const bytes = seen[stream];
    if (bytes === null) continue;
    if (succeeded ? bytes !== expected[stream] : !expected[stream].startsWith(bytes))
      wrong.push(`${bytes.length} bytes of ${stream}, of ${expected[stream].length}; they part at ${parting(bytes, expected[stream])}`);
  }
  return wrong;
}

function parting(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}
