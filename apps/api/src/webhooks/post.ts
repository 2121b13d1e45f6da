import { lookup as lookUp, type LookupAddress } from "node:dns";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";

/** Finds the addresses of a name. */
export type Resolve = (host: string) => Promise<LookupAddress[]>;

/** What the sending of webhooks may do. `allowed` says which addresses; `resolve` is the system's own by default. */
export type PostOptions = { allowed: (address: string) => boolean; resolve?: Resolve; timeoutMs?: number; ca?: string };

/** An answer: its status, and how long to wait before the next try if it says so. */
export type Answer = { status: number; retryAfterMs: number | null };

/** Why there was none. */
export class PostError extends Error {
  override readonly name = "PostError";
  readonly code: "forbidden-address" | "unreachable" | "timed-out";

  constructor(code: PostError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const mostOfAnswer = 65_536;

const systemResolve: Resolve = async (host) =>
  new Promise((resolve, reject) => {
    lookUp(host, { all: true, order: "verbatim" }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });

/**
 * Sends one request and resolves with its answer. The host is resolved once, and only addresses found then that are allowed are
 * dialled; redirects are not followed; of the answer at most 64 KiB are read and none kept; certificates are checked; all of
 * it has one time limit. Throws PostError.
 */
export async function post(
  { url, headers, body }: { url: string; headers: Record<string, string>; body: string },
  { allowed, resolve = systemResolve, timeoutMs = 15_000, ca }: PostOptions,
): Promise<Answer> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const to = new URL(url);
    const host = to.hostname.replace(/^\[|\]$/g, "");
    const addresses = (await Promise.race([found(host, resolve), aborted(signal)])).filter(({ address }) => allowed(address));
    if (addresses.length === 0) throw new PostError("forbidden-address", `${host} has no address that podq may dial`);
    const options = {
      method: "POST",
      headers: { ...headers, "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      agent: false as const, // a connection of its own, to an address that was just looked at
      lookup: fixed(addresses),
      signal,
      ...(ca !== undefined && { ca }),
    };
    return await answerOf(to.protocol === "https:" ? httpsRequest(to, options) : httpRequest(to, options), body);
  } catch (error) {
    if (error instanceof PostError) throw error;
    if (signal.aborted) throw new PostError("timed-out", `no answer within ${timeoutMs} ms`, { cause: error });
    throw new PostError("unreachable", error instanceof Error ? reasonOf(error) : String(error), { cause: error });
  }
}

// An address needs no look-up, and Node would make none of ours.
async function found(host: string, resolve: Resolve): Promise<LookupAddress[]> {
  const family = isIP(host);
  return family === 0 ? resolve(host) : [{ address: host, family }];
}

function fixed(addresses: LookupAddress[]): LookupFunction {
  const [first] = addresses;
  return (_host, { all }, done) => (all ? done(null, addresses) : done(null, first!.address, first!.family));
}

async function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }));
}

async function answerOf(request: ReturnType<typeof httpRequest>, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.on("error", reject);
    request.once("response", (response) => {
      const { statusCode: status = 0, headers } = response;
      const done = (): void => resolve({ status, retryAfterMs: retryAfterMs(headers["retry-after"]) });
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.byteLength;
        if (bytes > mostOfAnswer) request.destroy();
      });
      response.once("error", done).once("close", done); // the status is all that counts
    });
    request.end(body);
  });
}

function retryAfterMs(text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}

function reasonOf(error: Error): string {
  const [first] = error instanceof AggregateError ? (error.errors as Error[]) : [];
  return (error.message || first?.message || error.name).slice(0, 200);
}
