import { calls, PIECE_BYTES } from "./protocol.ts";
import type { Session } from "./session.ts";

/**
 * Puts standard input into the pod in pieces, no faster than the way takes them: the number of bytes, or undefined if `signal`
 * fired or the session ended in the middle.
 */
export async function sendInput(
  session: Session,
  id: string,
  stdin: Uint8Array | AsyncIterable<Uint8Array> | undefined,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (stdin === undefined) return 0;
  const stopped = Promise.withResolvers<"stopped">();
  const stop = (): void => stopped.resolve("stopped");
  signal.addEventListener("abort", stop);
  void session.over.then(stop);
  // A source that never gives its next piece must not hold up a cancel.
  const source = (stdin instanceof Uint8Array ? once(stdin) : stdin)[Symbol.asyncIterator]();
  try {
    let offset = 0;
    for (;;) {
      const next = await Promise.race([source.next(), stopped.promise]);
      if (next === "stopped" || signal.aborted || session.phase === "over") return undefined;
      if (next.done) return offset;
      for (let at = 0; at < next.value.length; at += PIECE_BYTES) {
        const piece = next.value.subarray(at, at + PIECE_BYTES);
        if (!session.send(calls.put(id, offset, piece))) await Promise.race([session.drained(), stopped.promise]);
        offset += piece.length;
      }
    }
  } finally {
    signal.removeEventListener("abort", stop);
    void source.return?.()?.catch(() => undefined);
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
