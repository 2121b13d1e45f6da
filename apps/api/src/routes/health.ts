import type { Context } from "@podq/client/handles";
import { z } from "zod";
import type { Metrics } from "../metrics.ts";
import { ApiError } from "../problem.ts";
import type { App } from "../server.ts";
import { anyProblem } from "../schemas.ts";

const word = z.object({ status: z.literal("ok") });

const numbers = { description: "Numbers as Prometheus reads them", content: { "text/plain": { schema: z.string() } } };

/** `/healthz`: the process lives. `/readyz`: its MongoDB answers, so that it can accept jobs. `/metrics`: what it does. `/openapi.json`: what it serves. */
export function addHealthRoutes(app: App, { store }: Context, metrics: Pick<Metrics, "text" | "contentType">): void {
  app.get("/healthz", { schema: { summary: "Whether the process lives", security: [], response: { 200: word } } }, async () => ({
    status: "ok" as const,
  }));
  app.get("/readyz", { schema: { summary: "Whether jobs can be accepted", response: { 200: word, ...anyProblem } } }, async () => {
    await store.tokens.ever();
    return { status: "ok" as const };
  });
  app.get(
    "/metrics",
    { schema: { summary: "Numbers for Prometheus, to tokens that are bound to no owner", response: { 200: numbers, ...anyProblem } } },
    async (request, reply) => {
      if (request.caller.owners !== null) throw new ApiError("access-denied", "the metrics are of all owners, and this token is not");
      return reply.type(metrics.contentType).send(await metrics.text());
    },
  );
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
}
