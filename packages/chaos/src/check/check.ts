import { recorded, starts, told } from "./effects.ts";
import { expiries } from "./expiry.ts";
import type { History, Violation } from "./history.ts";
import { overlaps, turnedRound } from "./line.ts";
import { specs } from "./spec.ts";
import { causes, kept, moves, unfinished } from "./states.ts";

/** What must hold at any time, of a history that goes on. */
export function checkSoFar(history: History): Violation[] {
  return [overlaps, turnedRound, starts, kept, told, moves, causes, expiries, specs].flatMap((rule) => rule(history));
}

/** All that podq promises, of a history that is over. */
export function check(history: History): Violation[] {
  const left = history.left.map((message) => ({ rule: "left-over", jobs: [], message }));
  return [...checkSoFar(history), ...recorded(history), ...unfinished(history), ...left];
}

/** A violation with all that is known of its jobs, a line each. */
export function explain({ rule, jobs, message }: Violation, history: History): string[] {
  const tokens = new Set(history.jobs.flatMap(({ id, token }) => (jobs.includes(id) && token !== null ? [token] : [])));
  const refs = new Set(history.events.flatMap((event) => (event.event === "accepted" && jobs.includes(event.jobId) ? [event.ref] : [])));
  const events = history.events.filter(
    (event) => ("jobId" in event && event.jobId !== null && jobs.includes(event.jobId)) || ("ref" in event && refs.has(event.ref)),
  );
  return [
    `${rule}: ${message}`,
    ...history.jobs
      .filter(({ id }) => jobs.includes(id))
      .map((job) => `  record ${JSON.stringify({ ...job, stdout: job.stdout.length, stderr: job.stderr.length })}`),
    ...events.map((event) => `  caller ${JSON.stringify(event).slice(0, 600)}`),
    ...history.marks
      .filter(({ token }) => tokens.has(token))
      .map(({ kind, token, run, atS, host, value }) => `  mark ${atS} s ${kind} ${token} run ${run} in ${host}: ${value}`),
  ];
}
