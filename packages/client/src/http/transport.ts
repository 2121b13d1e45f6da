import { setTimeout as delay } from "node:timers/promises";
import { codes, type Code } from "@podq/jobs";
import { PodqError } from "../errors.ts";
import { traceHeaders } from "../trace.ts";

/** Options of connecting over HTTP. */
export type HttpOptions = {
  /** Where the API is: `http://127.0.0.1:8750`. */
  url: string;
  /** A token of `podq token create`. An API without any takes none. */
  token?: string;
};

/** What a query may hold. */
export type Value = string | number | boolean | readonly string[] | undefined;

/** One request. What is repeated under an idempotency key has one effect. */
type Ask = {
  method?: string;
  query?: Record<string, Value>;
  headers?: Record<string, string>;
  body?: unknown;
  signal?: AbortSignal | undefined;
};

/** The way to the API: requests are repeated while it cannot be reached, for 15 s. */
export type Transport = {
  /** The answer's JSON; undefined for an answer without. Throws PodqError, or the signal's reason. */
  json: (path: string, ask?: Ask) => Promise<unknown>;
  /** The answer itself, once its head is there and good. */
  open: (path: string, ask?: Ask) => Promise<Response>;
};

const patienceMs = 15_000;
const pauseMs = 250;
const known: ReadonlySet<string> = new Set(codes);

/** Makes the way. Throws PodqError `invalid-request` for an address that is none. */
export function createTransport({ url, token }: HttpOptions): Transport {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new PodqError("invalid-request", `url: ${JSON.stringify(url)} is no address of the API; it looks like http://127.0.0.1:8750`);
  const base = url.replace(/\/+$/, "");

  const once = async (path: string, { method = "GET", query = {}, headers = {}, body, signal }: Ask): Promise<Response> => {
    const search = new URLSearchParams(
      Object.entries(query).flatMap(([key, value]) =>
        value === undefined ? [] : [value].flat().map((one): [string, string] => [key, `${one}`]),
      ),
    ).toString();
    const stream = body !== null && typeof body === "object" && Symbol.asyncIterator in body;
    return fetch(`${base}${path}${search === "" ? "" : `?${search}`}`, {
      method,
      headers: {
        ...traceHeaders(),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": stream ? "application/octet-stream" : "application/json" }),
        ...headers,
      },
      ...(body !== undefined && (stream ? { body: body as never, duplex: "half" } : { body: JSON.stringify(body) })),
      ...(signal !== undefined && { signal }),
    });
  };

  const open = async (path: string, ask: Ask = {}): Promise<Response> => {
    for (const giveUpAt = Date.now() + patienceMs; ; await delay(pauseMs, undefined, { signal: ask.signal })) {
      ask.signal?.throwIfAborted();
      let answer: Response;
      try {
        answer = await once(path, ask);
      } catch (error) {
        ask.signal?.throwIfAborted();
        if (Date.now() < giveUpAt && repeatable(ask)) continue;
        const reason = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
        throw new PodqError("unavailable", `podq's API at ${base} cannot be reached: ${reason}`, { cause: error });
      }
      if (answer.ok) return answer;
      const told = await problemOf(answer);
      if (told.code !== "unavailable" || Date.now() >= giveUpAt || !repeatable(ask)) throw told;
    }
  };

  return {
    open,
    async json(path, ask) {
      const answer = await open(path, ask);
      const text = await answer.text();
      return text === "" ? undefined : (JSON.parse(text) as unknown);
    },
  };
}

function repeatable({ method = "GET", headers = {} }: Ask): boolean {
  return method === "GET" || headers["idempotency-key"] !== undefined;
}

async function problemOf(answer: Response): Promise<PodqError> {
  const told = (await answer.json().catch(() => ({}))) as { code?: string; detail?: string; jobId?: string };
  const message = told.detail ?? `the API answered ${answer.status}`;
  const code = told.code !== undefined && known.has(told.code) ? (told.code as Code) : codeOf(answer.status);
  return new PodqError(code, message, told.jobId === undefined ? {} : { jobId: told.jobId });
}

// What only HTTP has a word for.
function codeOf(status: number): Code {
  if (status === 401 || status === 403) return "forbidden";
  return status === 429 || status >= 500 ? "unavailable" : "invalid-request";
}
