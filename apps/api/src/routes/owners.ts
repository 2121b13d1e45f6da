import { deleteOwner, toJobStatus, type Context } from "@podq/client/handles";
import { ownerDeletionWire, requestBodies } from "@podq/jobs";
import type { JobDocument } from "@podq/store";
import { addressOf, idempotencyHeader, podParams, writeProblem } from "../schemas.ts";
import type { App } from "../server.ts";
import { defined, demandRun, keyed, labelsOf } from "./pods.ts";

const described = "Accepted, each for itself: what is in `failed` was not. Pods are told apart by their `name`.";

/** `/v1/owners`: what is done to all pods of an owner. */
export function addOwnerRoutes(app: App, context: Context): void {
  const { store } = context;
  app.delete(
    "/v1/owners/:owner/:id",
    {
      schema: {
        summary: "Delete each pod that an owner has, or that a waiting job would make",
        params: podParams,
        querystring: requestBodies.delete,
        headers: idempotencyHeader,
        response: { 202: ownerDeletionWire.meta({ description: described }), ...writeProblem },
      },
    },
    async (request, reply) => {
      const { owner } = addressOf(request.params);
      demandRun(request.caller, owner);
      const { label, ...options } = request.query;
      const asked = { ...defined(options), labels: labelsOf(label), ...keyed(request.headers) };
      const { jobs, failed } = await deleteOwner({ ...context, by: request.caller }, owner, asked);
      const accepted = await Promise.all(
        jobs.map(async ({ job }) => {
          const found = (await store.jobs.get(job.id)) as JobDocument;
          return toJobStatus(found, await store.jobs.ahead(found));
        }),
      );
      reply.code(202);
      return { jobs: accepted, failed: failed.map(({ name, error }) => ({ name, code: error.code, message: error.message })) };
    },
  );
}
