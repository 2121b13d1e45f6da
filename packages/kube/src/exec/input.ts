import { calls, PIECE_BYTES } from "./protocol.ts";
import type { Session } from "./session.ts";

/** Puts standard input into the pod in pieces, no faster than the way takes them; the number of bytes. */
export async function sendInput(session: Session, id: string, stdin: Uint8Array | AsyncIterable<Uint8Array> | undefined): Promise<number> {
  if (stdin === undefined) return 0;
  let offset = 0;
  for await (const chunk of stdin instanceof Uint8Array ? [stdin] : stdin) {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      const piece = chunk.subarray(at, at + PIECE_BYTES);
      if (!session.send(calls.put(id, offset, piece))) await session.drained();
      offset += piece.length;
    }
    if (session.phase === "over") break;
  }
  return offset;
}
