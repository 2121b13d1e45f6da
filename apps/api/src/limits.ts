import { createHash } from "node:crypto";
import rateLimit, { normalizeIP } from "@fastify/rate-limit";
import type { FastifyReply, FastifyRequest } from "fastify";
import { sessionCookie, type Caller } from "./access.ts";
import { ApiError } from "./problem.ts";
import type { App } from "./server.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** A body of any length, that may take any time. */
    endless?: true;
  }
}

/** How often one may ask. Each request counts once: for its token, or, of whoever shows none that counts, for its address. */
export type Limits = {
  /** Counts a request. Throws ApiError `rate-limited` for one too many. */
  count: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
  /** Finds out whose request it is, and counts it. Throws as `identify` does, and ApiError `rate-limited`. */
  identified: (request: FastifyRequest, reply: FastifyReply, identify: () => Promise<Caller>) => Promise<void>;
};

const mostKnown = 10_000;

/** Bounds the requests a minute of one token or address. Those of an address that had its share are refused before anything is looked up. */
export async function addLimits(app: App, rate: number): Promise<Limits> {
  await app.register(rateLimit, {
    global: false, // its hooks know neither the caller nor what has no route
    max: rate,
    timeWindow: "1 minute",
    keyGenerator: ({ caller, ip }: { caller?: Caller; ip: string }) => caller?.token ?? normalizeIP(ip),
    errorResponseBuilder: (_request, { after }) => new ApiError("rate-limited", `too many requests; try again in ${after}`),
  });
  const [counted, look] = [app.rateLimit(), app.createRateLimit()];
  const count: Limits["count"] = async (request, reply) => counted.call(app, request as never, reply as never) as Promise<void>;
  const known = new Set<string>(); // who shares an address with a stranger is let in whatever that one does
  return {
    count,
    async identified(request, reply, identify) {
      const shown = shownBy(request);
      if (shown === null || !known.has(shown)) {
        const share = await look(request, { increment: false });
        if (!share.isAllowed && share.remaining === 0) await count(request, reply);
      }
      try {
        request.caller = await identify();
        if (shown !== null) known.add(shown);
        const [oldest = ""] = known;
        if (known.size > mostKnown) known.delete(oldest);
      } catch (error) {
        if (shown !== null && error instanceof ApiError) known.delete(shown);
        throw error;
      } finally {
        await count(request, reply);
      }
    },
  };
}

function shownBy(request: FastifyRequest): string | null {
  const text = request.headers.authorization ?? request.cookies[sessionCookie(request)];
  return text === undefined ? null : createHash("sha256").update(text).digest("base64");
}

/** Bounds the time that a request's body may take to come; `late` ends the others, but for routes that take an endless one. */
export function addBodyTime(app: App, bodyMs: number, late: (request: FastifyRequest, reply: FastifyReply) => void): void {
  const timers = new WeakMap<FastifyRequest, NodeJS.Timeout>();
  app.addHook("onRequest", async (request, reply) => {
    const { raw } = request;
    if (raw.complete) return;
    const timer = setTimeout(() => raw.complete || late(request, reply), bodyMs).unref();
    timers.set(request, timer);
    raw.once("close", () => clearTimeout(timer));
  });
  app.addHook("preHandler", async (request) => {
    if (request.routeOptions.config.endless) clearTimeout(timers.get(request));
  });
}
