import type { Work } from "./command.ts";

/** What was asked for. `clears`: a delete that cancels what is before it. `ends`: how an exec ends if nobody cancels it. `starts`: it starts a pod that is stopped. */
export type Asked =
  | { kind: "stop" | "start" | "restart" | "expose" | "unexpose" }
  | { kind: "create"; ttlMs?: number; otherImage?: boolean; fromTemplate?: boolean; ifChanged?: "ignore" | "update" | "reject" }
  | { kind: "delete"; clears: boolean }
  | { kind: "exec"; work: Work; parallel: boolean; retryable: boolean; starts?: boolean; ends: "itself" | "by-time-out" };

/** What a caller does and is told, in the order in which it happens to him. Times in ms on the machine's monotonic clock. */
export type Event =
  | { event: "called"; ref: string; pod: string; asked: Asked; key: string | null; atMs: number }
  | { event: "accepted"; ref: string; jobId: string; atMs: number }
  /** `jobId`: of one that may have been accepted nevertheless. */
  | { event: "refused"; ref: string; code: string; jobId: string | null; atMs: number }
  | { event: "cancel-asked"; jobId: string; atMs: number }
  /** What a pod consists of was deleted past podq, by this time; MongoDB's. */
  | { event: "harmed"; pod: string; fromMs: number; toMs: number }
  /** The answer to a report that a pod is in use; both times, and the pod's deadline, are MongoDB's. */
  | { event: "extended"; pod: string; generation: number; usedAtMs: number; ttlAtMs: number | null }
  | { event: "state"; jobId: string; listener: string; state: string; version: number; atMs: number }
  | { event: "result"; jobId: string; atMs: number; result: ToldResult }
  /** All that a reader of the live output was given. */
  | { event: "output"; jobId: string; stdout: string; stderr: string; whole: boolean };

/** How a job ended, as its caller was told. `null`: not told. */
export type ToldResult = { state: string; code: string | null; exitCode: number | null; stdout: string | null; stderr: string | null };

/** Now, on the clock of {@link Event}: the same for all processes of the machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
