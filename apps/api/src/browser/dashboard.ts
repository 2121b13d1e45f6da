import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { FastifyAdapter } from "@bull-board/fastify";
import { plainJobId, type openQueueForDashboard } from "@podq/queue";
import { z } from "zod";
import { demandWhole } from "../access.ts";
import { ApiError, type Problem } from "../problem.ts";
import type { App } from "../server.ts";
import { dashboardPolicy } from "./headers.ts";

const dashboardPath = "/admin/queues";

// What formats the data of jobs is not asked for that of schedulers.
class Board extends BullMQAdapter {
  override async getJobSchedulers(): ReturnType<BullMQAdapter["getJobSchedulers"]> {
    const all = await super.getJobSchedulers();
    return all.map(({ template, ...rest }) => ({ ...rest, ...(template && { template: { data: withoutSecrets(template.data) } }) }));
  }
}

/** bull-board, for those who administer all of podq, and to look only. */
export async function addDashboard(
  app: App,
  queue: ReturnType<typeof openQueueForDashboard>,
  problemOf: (error: Error) => Problem,
): Promise<void> {
  const adapter = new FastifyAdapter();
  const shown = new Board(queue, {
    readOnlyMode: true,
    description: "What is to be done next. A job's output and its record are behind its link.",
    externalJobUrl: (job) => ({ displayText: "Output", href: `/ui/jobs/${encodeURIComponent(jobIdOf(job))}` }),
  });
  shown.setFormatter("data", withoutSecrets);
  createBullBoard({
    queues: [shown],
    serverAdapter: adapter,
    options: {
      uiConfig: {
        boardTitle: "podq",
        hideRedisDetails: true,
        miscLinks: [{ text: "Pods and output", url: "/ui" }],
      },
    },
  });
  adapter.setBasePath(dashboardPath).setErrorHandler((error) => {
    const told = problemOf(error); // its own handler takes every error for a failure
    if (told.status >= 500) app.log.error({ err: error }, "the dashboard failed");
    return { status: told.status as 500, body: { ...told, error: told.detail } };
  });
  await app.register(async (scope) => {
    scope.addHook("onRequest", async ({ caller, method }, reply) => {
      demandWhole(caller);
      if (method !== "GET" && method !== "HEAD") throw new ApiError("method-not-allowed", "the dashboard is to look at");
      reply.header("content-security-policy", dashboardPolicy);
    });
    // Its page asks elsewhere for a font, which podq's pages never do.
    scope.addHook("onSend", async (_request, _reply, payload) =>
      typeof payload === "string" ? payload.replaceAll(/<link [^>]*href="https:[^>]*>/g, "") : payload,
    );
    await scope.register(adapter.registerPlugin(), { prefix: dashboardPath });
  });
}

const any = z.unknown().optional();
const own = z.object({ v: z.literal(1), jobId: z.string(), owner: any, name: any, free: z.boolean().optional() });
const plain = z.object({ owner: any, name: any, params: z.record(z.string(), z.unknown()).optional() });
const named = z.string().max(200).optional().catch(undefined);
const ownerShown = z.object({ project: named, conversation: named }).optional().catch(undefined);

/**
 * A job's data to be looked at: of what podq itself added all; of what others added whose job it is and the names of what was
 * given with it, since commands, environments and inputs may hold secrets.
 */
export function withoutSecrets(data: unknown): unknown {
  const [ours, theirs] = [own.safeParse(data), plain.safeParse(data)];
  if (ours.success) return { ...ours.data, owner: ownerShown.parse(ours.data.owner), name: named.parse(ours.data.name) };
  if (!theirs.success) return "not of a kind that podq knows";
  const { owner, name, params = {} } = theirs.data;
  const env = z.record(z.string(), z.unknown()).catch({}).parse(params.env);
  return { owner: ownerShown.parse(owner), name: named.parse(name), given: Object.keys(params), env: Object.keys(env) };
}

type Shown = { id?: string | number | null | undefined; timestamp: number; data: unknown };

function jobIdOf({ id, timestamp, data }: Shown): string {
  const ours = own.safeParse(data);
  return ours.success ? ours.data.jobId : plainJobId({ dispatchId: String(id), timestamp });
}
