import { kinds } from "@podq/jobs";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { App } from "./server.ts";

/** An API's numbers, in the format that Prometheus reads. */
export type Metrics = {
  contentType: string;
  text: () => Promise<string>;
  /** Redis failed after a job was accepted. Never throws. */
  lag: () => void;
  /** One try of a webhook, and what it left the delivery as. Never throws. */
  webhook: (state: "delivered" | "pending" | "failed") => void;
  /** Counts what a server is asked and how it answers. Goes before all other hooks, so that refusals count as well. */
  observe: (app: App) => void;
};

const buckets = [0.005, 0.02, 0.05, 0.1, 0.3, 1, 3, 10, 30, 60];
const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Labels are routes as they are declared, never paths that were asked for. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const answered = new Counter({
    name: "podq_http_requests_total",
    help: "Requests that were answered, or whose caller went",
    labelNames: ["method", "route", "status"],
    registers,
  });
  const duration = new Histogram({
    name: "podq_http_answer_seconds",
    help: "Until an answer began; one that waits for a job's end begins then",
    labelNames: ["method", "route"],
    buckets,
    registers,
  });
  const open = new Gauge({
    name: "podq_http_open",
    help: "Requests that are not over: held waits, streams of output and events",
    labelNames: ["route"],
    registers,
  });
  const accepted = new Counter({ name: "podq_jobs_accepted_total", help: "Requests answered with a job", labelNames: ["kind"], registers });
  for (const kind of kinds) accepted.inc({ kind }, 0);
  const lags = new Counter({
    name: "podq_redis_lags_total",
    help: "Times that Redis failed at something that the sweeper makes good",
    registers,
  });
  const tries = new Counter({
    name: "podq_webhook_tries_total",
    help: "Webhooks sent: delivered, pending (to be tried again) or failed (given up)",
    labelNames: ["state"],
    registers,
  });
  for (const state of ["delivered", "pending", "failed"]) tries.inc({ state }, 0);

  return {
    contentType: registry.contentType,
    text: async () => registry.metrics(),
    lag: () => lags.inc(),
    webhook: (state) => tries.inc({ state }),
    observe(app) {
      app.addHook("onRequest", async ({ routeOptions }, { raw }) => {
        const route = routeOptions.url ?? "none";
        open.inc({ route });
        raw.once("close", () => open.dec({ route }));
      });
      app.addHook("preSerialization", async (_request, { statusCode }, payload: unknown) => {
        if (statusCode === 202 && typeof payload === "object" && payload !== null && "kind" in payload)
          accepted.inc({ kind: String(payload.kind) });
        return payload;
      });
      app.addHook("onSend", async ({ method, routeOptions }, reply) => {
        if (routeOptions.url !== undefined) duration.observe({ method, route: routeOptions.url }, reply.elapsedTime / 1_000);
      });
      app.addHook("onResponse", async ({ method, routeOptions }, { statusCode }) => {
        const known = methods.has(method) ? method : "other";
        answered.inc({ method: known, route: routeOptions.url ?? "none", status: String(statusCode) });
      });
    },
  };
}
