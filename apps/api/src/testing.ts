// What the tests of the API share: one on a database of its own, with a store to play the worker with.
import { randomBytes } from "node:crypto";
import { openStore, type Store } from "@podq/store";
import { pino } from "pino";
import { inject } from "vitest";
import { startApi } from "./compose.ts";
import { readConfig } from "./config.ts";

/** How a request went. */
type Answer = { status: number; headers: Headers; body: Record<string, unknown> };

/** A running API, and callers. */
export type Scene = AsyncDisposable & {
  url: string;
  store: Store;
  /** The way to its databases. */
  databases: { redisUrl: string; mongodbUri: string; prefix: string };
  log: Record<string, unknown>[];
  /** One request; `token` is the text of one. */
  ask: (
    method: string,
    path: string,
    options?: { token?: string | undefined; body?: unknown; headers?: Record<string, string> },
  ) => Promise<Answer>;
  /** Makes a token. */
  token: (scope: "read" | "run" | "admin", owners?: string[]) => Promise<string>;
  /** Claims a job as a worker does, and ends it. */
  finish: (id: string, exitCode: number, stdout: string) => Promise<void>;
};

/** Opens a scene for one test; `guarded`: with a token from the start. */
export async function openScene(env: Record<string, string> = {}, { guarded = false } = {}): Promise<Scene> {
  const { redisUrl, mongodbUri } = inject("services");
  const prefix = `t${randomBytes(6).toString("hex")}`;
  const uri = new URL(mongodbUri);
  uri.pathname = `/${prefix}`;
  const store = await openStore({ uri: uri.href, appName: "podq-test" });
  if (guarded) await store.tokens.create({ label: "first", scope: "admin", owners: [] });
  const log: Record<string, unknown>[] = [];
  const config = readConfig({ REDIS_URL: redisUrl, MONGODB_URI: uri.href, PODQ_PREFIX: prefix, PODQ_API_PORT: "0", ...env });
  const logger = pino({ level: "info" }, { write: (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>) });
  const api = await startApi(config, logger);
  return {
    url: api.url,
    store,
    databases: { redisUrl, mongodbUri: uri.href, prefix },
    log,
    async ask(method, path, { token, body, headers = {} } = {}) {
      const response = await fetch(`${api.url}${path}`, {
        method,
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { "content-type": "application/json" }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: (text === "" ? {} : JSON.parse(text)) as Record<string, unknown> };
    },
    token: async (scope, owners = []) => (await store.tokens.create({ label: "test", scope, owners })).text,
    async finish(id, exitCode, stdout) {
      const claim = await store.jobs.claim((await store.jobs.get(id))!, "worker", 60_000, null);
      if (claim === null) throw new Error(`job ${id} cannot be claimed`);
      const now = new Date();
      if (stdout !== "") await store.output.append(id, 1, [{ stream: "stdout", offset: 0, data: Buffer.from(stdout) }]);
      const result = {
        exitCode,
        signal: null,
        stdoutBytes: stdout.length,
        stderrBytes: 0,
        atLeast: false,
        truncated: false,
        leftRunning: 0,
        unverified: false,
        startedAt: now,
        endedAt: now,
        attached: 0,
        weaker: [],
      };
      await store.jobs.end({ id, attempt: claim.attempt }, { state: "succeeded", result, error: null, why: "done" });
    },
    async [Symbol.asyncDispose]() {
      await api.stop();
      await store.close();
    },
  };
}
