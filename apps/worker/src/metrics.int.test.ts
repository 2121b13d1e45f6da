import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { ConfigError } from "./config-error.ts";
import { readConfig } from "./config.ts";
import { createMetrics } from "./metrics.ts";
import { serveMetrics } from "./serve-metrics.ts";
import { openBench } from "./testing.ts";

const lane = { connections: 1, dialling: 0, busy: 3, waiting: 2, dials: 5, failures: 1 };
const pool = { commands: lane, channels: { ...lane, busy: 7 }, breaker: { state: "closed" as const, failures: 0, retryInMs: 0 } };
const sessions = { sessions: 4, busy: 2, waiting: 1, opened: 9 };
const reconciler = { live: true, objects: 6, pending: 1 };

it("a worker's numbers are served: what came of its jobs, and each bound with how it is used", async () => {
  const metrics = createMetrics(readConfig({ PODQ_CONCURRENCY: "7" }), () => [{ host: "default", ssh: pool, sessions, reconciler }]);
  await using bench = await openBench();
  await bench.work(
    async ({ job }) => {
      if (job.attempt === 1) return { kind: "retry", delayMs: 10, error: { code: "internal", message: "again" } };
      await delay(5);
      return { kind: "end", state: "failed", result: null, error: { code: "cwd-not-found", message: "no" }, why: "no" };
    },
    {},
    metrics.observer,
  );
  await (await bench.podq.pod({ project: "p" }).exec("x")).result().catch(() => undefined);
  const endpoint = await serveMetrics(metrics, { host: "127.0.0.1", port: 0 });
  const text = await (await fetch(endpoint.url)).text();
  for (const line of [
    'podq_jobs_ended_total{kind="exec",state="failed",code="cwd-not-found"} 1',
    'podq_attempt_seconds_count{kind="exec",outcome="retry"} 1',
    'podq_attempt_seconds_count{kind="exec",outcome="failed"} 1',
    'podq_job_wait_seconds_count{kind="exec"} 1',
    'podq_jobs_running{kind="exec"} 0',
    "podq_jobs_limit 7",
    'podq_ssh_channels_busy{host="default",lane="sessions"} 7',
    'podq_ssh_channels_limit{host="default",lane="commands"} 20',
    'podq_exec_sessions_waiting{host="default"} 1',
    'podq_exec_sessions_limit{host="default"} 64',
  ])
    expect(text).toContain(line);
  expect(text).toMatch(/^podq_sweeper_stranded_total \d+$/m);
  expect((await fetch(endpoint.url.replace("metrics", "healthz"))).status).toBe(200);
  expect((await fetch(endpoint.url.replace("metrics", ""))).status).toBe(404);
  const { hostname: host, port } = new URL(endpoint.url);
  await expect(serveMetrics(metrics, { host, port: Number(port) })).rejects.toBeInstanceOf(ConfigError);
  await endpoint.stop();
});
