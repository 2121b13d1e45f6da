import type { Context } from "@podq/client/handles";
import { z } from "zod";
import type { App } from "../server.ts";
import { anyProblem } from "../schemas.ts";

const word = z.object({ status: z.literal("ok") });

/** `/healthz`: the process lives. `/readyz`: its MongoDB answers, so that it can accept jobs. `/openapi.json`: what it serves. */
export function addHealthRoutes(app: App, { store }: Context): void {
  app.get(
    "/healthz",
    { config: { rateLimit: false }, schema: { summary: "Whether the process lives", security: [], response: { 200: word } } },
    async () => ({
      status: "ok" as const,
    }),
  );
  app.get("/readyz", { schema: { summary: "Whether jobs can be accepted", response: { 200: word, ...anyProblem } } }, async () => {
    await store.tokens.any();
    return { status: "ok" as const };
  });
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
}
