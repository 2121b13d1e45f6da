import { openTemplates, type Context } from "@podq/client/handles";
import { templateBodySchema, templateNameSchema, templateRefSchema, templateWire } from "@podq/jobs";
import { z } from "zod";
import { demandWhole } from "../access.ts";
import { ApiError } from "../problem.ts";
import { anyProblem, writeProblem } from "../schemas.ts";
import type { App } from "../server.ts";
import { defined } from "./pods.ts";

const named = z.strictObject({ template: templateNameSchema });
const applied = templateWire.extend({ isNew: z.boolean() });

/** `/v1/templates`: what pods are made from. Everybody with a token may look; who keeps them administers podq. */
export function addTemplateRoutes(app: App, context: Context): void {
  const templates = openTemplates(context.store);

  app.get(
    "/v1/templates",
    {
      schema: {
        summary: "List templates: the newest version of each, or all versions of one",
        querystring: z.strictObject({ name: templateNameSchema.optional() }),
        response: { 200: z.object({ items: z.array(templateWire) }), ...anyProblem },
      },
    },
    async (request) => ({ items: (await templates.list(request.query.name)) as never[] }),
  );

  app.get(
    "/v1/templates/:template",
    {
      schema: {
        summary: "A template: `py` is its newest version, `py@3` that one",
        params: z.strictObject({ template: templateRefSchema }),
        response: { 200: templateWire, ...anyProblem },
      },
    },
    async (request) => {
      const found = await templates.get(request.params.template);
      if (found === null) throw new ApiError("not-found", `there is no template ${request.params.template}`);
      return found;
    },
  );

  app.put(
    "/v1/templates/:template",
    {
      schema: {
        summary: "Save a template: a new version, unless the newest says the same",
        params: named,
        body: templateBodySchema,
        response: { 200: applied, 201: applied, ...writeProblem },
      },
    },
    async (request, reply) => {
      demandWhole(request.caller);
      const saved = await templates.apply({ name: request.params.template, ...defined(request.body) });
      reply.code(saved.isNew ? 201 : 200);
      return saved;
    },
  );

  app.delete(
    "/v1/templates/:template",
    { schema: { summary: "Delete a template with all its versions", params: named, response: { 204: z.null(), ...writeProblem } } },
    async (request, reply) => {
      demandWhole(request.caller);
      await templates.delete(request.params.template);
      return reply.code(204).send(null);
    },
  );
}
