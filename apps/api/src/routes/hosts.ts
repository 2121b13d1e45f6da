import type { Context } from "@podq/client/handles";
import { hostWire } from "@podq/jobs";
import { z } from "zod";
import { ApiError } from "../problem.ts";
import { anyProblem } from "../schemas.ts";
import type { App } from "../server.ts";

const listed = z.object({ items: z.array(hostWire) });

/** `/v1/hosts`: where pods are placed, and whether that can be reached. */
export function addHostRoutes(app: App, { store }: Context): void {
  app.get(
    "/v1/hosts",
    {
      schema: {
        summary: "List the hosts that pods are placed on, to tokens that are bound to no owner",
        response: { 200: listed, ...anyProblem },
      },
    },
    async (request) => {
      if (request.caller.owners !== null)
        throw new ApiError("access-denied", "the hosts have the pods of all owners, and this token is not for all");
      return { items: await store.hosts.list() };
    },
  );
}
