import { enqueue, podHandle, toJobStatus, type Context } from "@podq/client/handles";
import {
  jobWire,
  labelPairs,
  ownerTextSchema,
  parseRequest,
  podStatuses,
  podWire,
  portWait,
  requestBodies,
  stdinBytes,
  type Owner,
} from "@podq/jobs";
import { toPodRecord, type JobDocument } from "@podq/store";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { demandOwner, demandScope, type Caller } from "../access.ts";
import { ApiError } from "../problem.ts";
import {
  addressOf,
  anyProblem,
  cursorOf,
  idempotencyHeader,
  namedPodParams,
  page,
  podParams,
  positionOf,
  writeProblem,
} from "../schemas.ts";
import type { App } from "../server.ts";

const accepted = { 202: jobWire.meta({ description: "Accepted; Location is the job." }), ...writeProblem };
const listed = z.object({ items: z.array(podWire), next: z.string().nullable() });
const filter = z.strictObject({
  ...page,
  owner: ownerTextSchema.optional(),
  status: z.enum(podStatuses).optional(),
  host: z.string().max(253).optional(),
  label: labelPairs.optional(),
});

const timed = [
  ["stop", "End all that runs in a pod; its record, volume and service stay"],
  ["start", "Make a stopped pod run again, as it was"],
  ["restart", "Make a pod's processes begin anew"],
] as const;

/** `/v1/pods`: create, list, look at, run commands in, and delete pods. */
export function addPodRoutes(app: App, context: Context): void {
  const { store } = context;

  const accept = async (reply: FastifyReply, id: string): Promise<object> => {
    const job = (await store.jobs.get(id)) as JobDocument;
    reply.code(202).header("location", `/v1/jobs/${id}`);
    return toJobStatus(job, await store.jobs.ahead(job));
  };

  app.post(
    "/v1/pods",
    { schema: { summary: "Create a pod, or bring it to run", body: requestBodies.create, headers: idempotencyHeader, response: accepted } },
    async (request, reply) => {
      const { owner, name, ...options } = request.body;
      demandRun(request.caller, owner);
      const job = await podHandle({ ...context, by: request.caller }, { ...owner, name }).create({
        ...defined(options),
        ...keyed(request.headers),
      });
      return (await accept(reply, job.id)) as never;
    },
  );

  app.get(
    "/v1/pods",
    { schema: { summary: "List pods, in the order of their keys", querystring: filter, response: { 200: listed, ...anyProblem } } },
    async (request) => {
      const { owner, status, host, label, limit, cursor } = request.query;
      const owners = ownersOf(request.caller, owner);
      const [after] = positionOf(cursor, z.tuple([z.string()])) ?? [];
      const asked = { ...defined({ status, host, owners, after }), labels: labelsOf(label) };
      const pods = await store.pods.list(asked, limit);
      const sightings = await store.sightings.latest();
      const last = pods.length < limit ? undefined : pods.at(-1);
      return { items: pods.map((pod) => toPodRecord(pod, sightings)) as never[], next: last === undefined ? null : cursorOf([last._id]) };
    },
  );

  for (const [path, params] of [
    ["/v1/pods/:owner/:id", podParams],
    ["/v1/pods/:owner/:id/:name", namedPodParams],
  ] as const) {
    app.get(
      path,
      { schema: { summary: "What is recorded of a pod", params, response: { 200: podWire, ...anyProblem } } },
      async (request) => {
        const { owner, key } = addressOf(request.params);
        demandOwner(request.caller, owner);
        const pod = await store.pods.get(key);
        if (pod === null) throw new ApiError("not-found", `there is no pod ${key}`);
        return toPodRecord(pod, await store.sightings.latest());
      },
    );

    app.delete(
      path,
      { schema: { summary: "Delete a pod", params, querystring: requestBodies.delete, headers: idempotencyHeader, response: accepted } },
      async (request, reply) => {
        const { owner, name } = addressOf(request.params);
        demandRun(request.caller, owner);
        const { label, ...options } = request.query;
        const asked = { ...defined(options), labels: labelsOf(label), ...keyed(request.headers) };
        const job = await podHandle({ ...context, by: request.caller }, { ...owner, name }).delete(asked);
        return (await accept(reply, job.id)) as never;
      },
    );

    for (const [verb, summary] of timed)
      app.post(
        `${path}/${verb}`,
        { schema: { summary, params, body: requestBodies[verb].nullish(), headers: idempotencyHeader, response: accepted } },
        async (request, reply) => {
          const { owner, name } = addressOf(request.params);
          demandRun(request.caller, owner);
          const job = await podHandle({ ...context, by: request.caller }, { ...owner, name })[verb]({
            ...defined(request.body ?? {}),
            ...keyed(request.headers),
          });
          return (await accept(reply, job.id)) as never;
        },
      );

    app.post(
      `${path}/expose`,
      {
        schema: {
          summary: "Make a port of a pod reachable, while its processes go on",
          params,
          body: requestBodies.expose,
          headers: idempotencyHeader,
          response: accepted,
        },
      },
      async (request, reply) => {
        const { owner, name } = addressOf(request.params);
        demandRun(request.caller, owner);
        const pod = podHandle({ ...context, by: request.caller }, { ...owner, name });
        const job = await pod.expose({ ...defined(request.body), ...keyed(request.headers) });
        return (await accept(reply, job.id)) as never;
      },
    );

    app.post(
      `${path}/unexpose`,
      {
        schema: {
          summary: "Make a port of a pod reachable no more",
          params,
          body: requestBodies.unexpose,
          headers: idempotencyHeader,
          response: accepted,
        },
      },
      async (request, reply) => {
        const { owner, name } = addressOf(request.params);
        demandRun(request.caller, owner);
        const { name: port, ...options } = request.body;
        const pod = podHandle({ ...context, by: request.caller }, { ...owner, name });
        const job = await pod.unexpose(port, { ...defined(options), ...keyed(request.headers) });
        return (await accept(reply, job.id)) as never;
      },
    );

    app.post(
      `${path}/wait-for-port`,
      {
        schema: {
          summary: "Wait until something listens at a port inside a pod",
          description:
            "An exec that succeeds with 0 then, and fails with `timed-out` after `timeoutMs`. It runs beside other parallel commands, and behind one that is not.",
          params,
          body: requestBodies.waitForPort,
          headers: idempotencyHeader,
          response: accepted,
        },
      },
      async (request, reply) => {
        const { owner, name } = addressOf(request.params);
        demandRun(request.caller, owner);
        const { port, timeoutMs, ...options } = request.body;
        const { command, ...how } = portWait({ port, timeoutMs });
        const pod = podHandle({ ...context, by: request.caller }, { ...owner, name });
        const job = await pod.exec(command, { ...how, ...defined(options), ...keyed(request.headers) });
        return (await accept(reply, job.id)) as never;
      },
    );

    app.post(
      `${path}/extend`,
      {
        schema: {
          summary: "Report that a pod is in use, and give it longer to live",
          params,
          body: requestBodies.extend,
          response: { 200: podWire, ...writeProblem },
        },
      },
      async (request) => {
        const { owner, name } = addressOf(request.params);
        demandRun(request.caller, owner);
        return podHandle(context, { ...owner, name }).extend(defined(request.body));
      },
    );

    app.post(
      `${path}/exec`,
      { schema: { summary: "Run a command in a pod", params, body: requestBodies.exec, headers: idempotencyHeader, response: accepted } },
      async (request, reply) => {
        const { owner, name } = addressOf(request.params);
        demandRun(request.caller, owner);
        const id = await enqueueExec({ ...context, by: request.caller }, { owner, name }, request.body, keyed(request.headers));
        return (await accept(reply, id)) as never;
      },
    );
  }
}

/** The owners that a list may show: those asked for, within those of the token. */
export function ownersOf(caller: Caller, asked: string | undefined): readonly string[] | undefined {
  if (asked === undefined) return caller.owners ?? undefined;
  if (caller.owners !== null && !caller.owners.includes(asked)) throw new ApiError("access-denied", `this token is not for ${asked}`);
  return [asked];
}

/** Labels that a query has as `KEY=VALUE`. Throws ApiError. */
export function labelsOf(given: string | string[] | undefined): Record<string, string> {
  const pairs = given === undefined ? [] : [given].flat();
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new ApiError("invalid-request", `label: ${JSON.stringify(pair)} is not KEY=VALUE`, "label");
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

type ExecBody = z.output<typeof requestBodies.exec>;

async function enqueueExec(
  context: Context,
  address: { owner: Owner; name: string },
  body: ExecBody,
  keyed: { idempotencyKey?: string },
): Promise<string> {
  const { command, stdin, ...options } = body;
  const pod = podHandle(context, { ...address.owner, name: address.name });
  if (typeof stdin === "object" && "stream" in stdin) {
    const { deadlineMs, maxAttempts, labels, callbackUrl, ...params } = options;
    if (params.retryable)
      throw new ApiError("invalid-request", "stdin: a stream cannot be given again, so the command cannot be retryable", "stdin");
    const rest = { deadlineMs, maxAttempts, labels, callbackUrl, ...keyed };
    const request = parseRequest("exec", { ...address, params: { command, ...params }, ...rest });
    return (await enqueue(context.store, context.line, { ...request, stdin: "stream" }, { by: context.by }))._id;
  }
  const input = stdin === undefined ? {} : { stdin: stdinBytes(stdin) };
  return (await pod.exec(command, { ...defined(options), ...input, ...keyed })).id;
}

/** Throws ApiError unless the caller may change what belongs to this owner. */
export function demandRun(caller: Caller, owner: Owner): void {
  demandScope(caller, "run");
  demandOwner(caller, owner);
}

/** The idempotency key of a request, as an option. */
export function keyed(headers: z.output<typeof idempotencyHeader>): { idempotencyKey?: string } {
  const key = headers["idempotency-key"];
  return key === undefined ? {} : { idempotencyKey: key };
}

/** Options as exact optional types want them: what was left out is left out. */
export function defined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
