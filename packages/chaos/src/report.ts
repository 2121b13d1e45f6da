import { groupBy, type History } from "./check/history.ts";
import type { Done } from "./inject.ts";
import { histogram, nextClaimMs, quantile, recoveryMs } from "./recovery.ts";

/** What happened, for people: jobs by state, faults by kind, recovery times. */
export function report(done: readonly Done[], asked: number, { jobs, marks }: History): string[] {
  const byKind = [...groupBy(done, ({ fault }) => fault.kind)].toSorted(([a], [b]) => a.localeCompare(b));
  const states = [...groupBy(jobs, ({ kind, state }) => `${kind} ${state}`)].toSorted(([a], [b]) => a.localeCompare(b));
  const recovered = done.map(({ from, worker, fault }) => ({ kind: fault.kind, ms: recoveryMs({ fromMs: from.getTime(), worker }, jobs) }));
  const times = recovered.flatMap(({ ms }) => (ms === null ? [] : [ms]));
  const killed = done.filter(({ worker }) => worker !== null).flatMap(({ from }) => nextClaimMs(from.getTime(), jobs) ?? []);
  const goneOn = jobs.filter(
    ({ kind, state, run, attempts }) => kind === "exec" && state === "succeeded" && run === 1 && attempts.length > 1,
  );
  return [
    `jobs: ${states.map(([what, all]) => `${all.length} ${what}`).join(", ")}; ${marks.length} marks`,
    `faults seen: ${done.length} of ${asked}`,
    ...byKind.map(([kind, all]) => {
      const mine = recovered.flatMap(({ kind: of, ms }) => (of === kind && ms !== null ? [ms] : []));
      const share = ((100 * all.length) / done.length).toFixed(1);
      return `  ${kind.padEnd(20)} ${String(all.length).padStart(4)}  ${share.padStart(4)} %  recovery p50 ${seconds(quantile(mine, 0.5))}, p95 ${seconds(quantile(mine, 0.95))}`;
    }),
    `recovery: p50 ${seconds(quantile(times, 0.5))}, p95 ${seconds(quantile(times, 0.95))}, longest ${seconds(quantile(times, 1))}`,
    ...histogram(times),
    `after a worker was hit the next job began within p50 ${seconds(quantile(killed, 0.5))}, p95 ${seconds(quantile(killed, 0.95))}`,
    `${goneOn.length} execs that succeeded were taken over while they ran, none of them started anew`,
  ];
}

function seconds(ms: number | null): string {
  return ms === null ? "-" : `${(ms / 1_000).toFixed(1)} s`;
}
