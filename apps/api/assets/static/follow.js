import { open, Refused } from "./api.js";

/** @typedef {{ stream: string, offset: number, data: string, gap?: { from: number, to: number }, restarted?: true }} Piece */

/**
 * The pieces of a job's output to its end, live; goes on where it was cut off.
 * @param {string} id @param {AbortSignal} signal @param {(cut: boolean) => void} onCut
 * @returns {AsyncGenerator<Omit<Piece, "data"> & { bytes: Uint8Array }>}
 */
export async function* follow(id, signal, onCut) {
  const next = { stdout: 0, stderr: 0 };
  for (;;) {
    try {
      const query = new URLSearchParams({ stdout: `${next.stdout}`, stderr: `${next.stderr}`, follow: "true" });
      const response = await open(`/v1/jobs/${encodeURIComponent(id)}/output?${query}`, { signal });
      onCut(false);
      for await (const line of lines(response)) {
        const { data, ...piece } = /** @type {Piece} */ (JSON.parse(line));
        const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
        if (piece.restarted) next.stdout = next.stderr = 0;
        else next[/** @type {"stdout"} */ (piece.stream)] = piece.offset + bytes.length;
        yield { ...piece, bytes };
      }
      return;
    } catch (error) {
      if (signal.aborted || (error instanceof Refused && error.status !== 429 && error.status < 500)) throw error;
      onCut(true);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  }
}

/** @param {Response} response @returns {AsyncGenerator<string>} */
async function* lines(response) {
  if (response.body === null) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  /** @type {string[]} */
  let parts = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    let from = 0;
    for (let end = value.indexOf("\n"); end >= 0; end = value.indexOf("\n", from)) {
      yield [...parts, value.slice(from, end)].join("");
      parts = [];
      from = end + 1;
    }
    if (from < value.length) parts.push(value.slice(from));
  }
}
