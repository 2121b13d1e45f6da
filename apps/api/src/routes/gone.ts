import type { Store } from "@podq/store";
import type { FastifyReply, FastifyRequest } from "fastify";
import { identify } from "../access.ts";
import { ApiError } from "../problem.ts";

const lookMs = 10_000;

/** Aborts when the caller has gone, which may have been before this was asked, or has his answer. */
export function goneSignal({ raw }: Pick<FastifyReply, "raw">): AbortSignal {
  const gone = new AbortController();
  const end = (): void => gone.abort(new Error("the caller has gone"));
  if (raw.destroyed) end();
  else raw.once("close", end);
  return gone.signal;
}

/**
 * The same for a request without an end, which is cut off, its body too, when the caller may no longer make it: his token was
 * revoked, his session is over.
 */
export function allowedSignal(store: Pick<Store, "tokens" | "sessions">, request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const gone = goneSignal(reply);
  const look = async (): Promise<void> => {
    try {
      await identify(store, request);
    } catch (error) {
      if (error instanceof ApiError) reply.raw.destroy(); // anything else is MongoDB's, and the next look may get through
    }
  };
  if (gone.aborted) return gone;
  const timer = setInterval(() => void look(), lookMs);
  gone.addEventListener("abort", () => clearInterval(timer), { once: true });
  return gone;
}
