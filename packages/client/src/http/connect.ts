import { randomUUID } from "node:crypto";
import { hostWire, jobWire, ownerParts, podWire, type Kind } from "@podq/jobs";
import type { PodRecord } from "@podq/store";
import { z } from "zod";
import type { Podq } from "../connect.ts";
import { PodqError } from "../errors.ts";
import { filesOf } from "../files/files.ts";
import type { Job } from "../job.ts";
import type { EnqueueOptions, Pod, PodAddress } from "../pod.ts";
import type { JobStatus } from "../status.ts";
import { checked, pairsOf } from "./asked.ts";
import { feed, httpJob, inputOf, isStream } from "./job.ts";
import { httpDeleteOwner } from "./owner.ts";
import { httpTemplates } from "./templates.ts";
import { createTransport, type HttpOptions, type Transport } from "./transport.ts";

const pageOf = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), next: z.string().nullable() });
const [podPage, jobPage, hostPage] = [pageOf(podWire), pageOf(jobWire), z.object({ items: z.array(hostWire) })];

/** Connects to podq's API, with the same surface as to its databases. Throws PodqError `unavailable`, `forbidden`. */
export async function connectHttp(options: HttpOptions): Promise<Podq> {
  const transport = createTransport(options);
  await transport.json("/readyz");
  const closed = new AbortController();
  const close = async (): Promise<void> => closed.abort();
  return {
    pod: (address) => httpPod(transport, address),
    deleteOwner: async (owner, options) => httpDeleteOwner(transport, owner, options),
    job: (id) => httpJob(transport, id),
    templates: httpTemplates(transport),
    async *pods({ project, conversation, status, labels } = {}) {
      const label = pairsOf(labels ?? {});
      for (let cursor: string | null | undefined; cursor !== null;) {
        const query = { owner: ownerFilter({ project, conversation }), status, label, cursor };
        const { items, next } = podPage.parse(await transport.json("/v1/pods", { query }));
        yield* items as PodRecord[];
        cursor = next;
      }
    },
    async *jobs({ state, name, project, conversation } = {}) {
      for (let cursor: string | null | undefined; cursor !== null;) {
        const query = { owner: ownerFilter({ project, conversation }), name, state, cursor };
        const { items, next } = jobPage.parse(await transport.json("/v1/jobs", { query }));
        for (const at of items as JobStatus[]) yield { ...httpJob(transport, at.id), at };
        cursor = next;
      }
    },
    hosts: async () => hostPage.parse(await transport.json("/v1/hosts")).items,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function ownerFilter({ project, conversation }: { project: string | undefined; conversation: string | undefined }): string | undefined {
  if (project !== undefined) return `project/${project}`;
  return conversation === undefined ? undefined : `conversation/${conversation}`;
}

function httpPod(transport: Transport, { name = "default", ...given }: PodAddress): Pod {
  const { owner } = checked(given, name);
  const { kind, id } = ownerParts(owner);
  const path = `/v1/pods/${kind}/${encodeURIComponent(id)}/${encodeURIComponent(name)}`;

  const submit = async <K extends Kind>(
    where: string,
    ask: object,
    { idempotencyKey, signal, ...rest }: EnqueueOptions,
  ): Promise<Job<K>> => {
    // With a key of our own, a request whose answer was lost is repeated, and is the same job.
    const headers = { "idempotency-key": idempotencyKey ?? randomUUID() };
    const job = jobWire.parse(await transport.json(where, { ...withRest(ask, rest), headers, signal }));
    return httpJob<K>(transport, job.id);
  };

  const pod: Omit<Pod, "files"> = {
    owner,
    name,
    create: async (options = {}) => submit("/v1/pods", { method: "POST", body: { owner, name } }, options),
    async exec(command, { stdin, ...options } = {}) {
      if (isStream(stdin) && options.retryable)
        throw new PodqError(
          "invalid-request",
          "exec: a stream cannot be given again, so with one as stdin the command cannot be retryable; give bytes",
        );
      const body = { command, ...(stdin !== undefined && { stdin: inputOf(stdin) }) };
      const job = await submit<"exec">(`${path}/exec`, { method: "POST", body }, options);
      if (isStream(stdin)) feed(transport, job.id, stdin);
      return job;
    },
    run: async (command, options) =>
      (await pod.exec(command, options)).result(options?.signal === undefined ? {} : { signal: options.signal }),
    stop: async (options = {}) => submit(`${path}/stop`, { method: "POST", body: {} }, options),
    start: async (options = {}) => submit(`${path}/start`, { method: "POST", body: {} }, options),
    restart: async (options = {}) => submit(`${path}/restart`, { method: "POST", body: {} }, options),
    expose: async (options) => submit(`${path}/expose`, { method: "POST", body: {} }, options),
    unexpose: async (port, options = {}) => submit(`${path}/unexpose`, { method: "POST", body: { name: port } }, options),
    waitForPort: async (port, options = {}) => {
      const job = await submit<"exec">(`${path}/wait-for-port`, { method: "POST", body: { port } }, options);
      await job.result(options.signal === undefined ? {} : { signal: options.signal });
    },
    delete: async ({ labels = {}, ...options } = {}) => submit(path, { method: "DELETE", query: { label: pairsOf(labels) } }, options),
    extend: async (options = {}) => podWire.parse(await transport.json(`${path}/extend`, { method: "POST", body: options })) as PodRecord,
    async get() {
      try {
        return podWire.parse(await transport.json(path)) as PodRecord;
      } catch (error) {
        if (error instanceof PodqError && error.code === "not-found") return null;
        throw error;
      }
    },
  };
  return { ...pod, files: filesOf(pod) };
}

// Options go where the request has its own: into the body, or a delete's query.
function withRest(ask: { body?: object; query?: object }, rest: object): object {
  return ask.body === undefined ? { ...ask, query: { ...ask.query, ...rest } } : { ...ask, body: { ...ask.body, ...rest } };
}
