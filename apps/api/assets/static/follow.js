import { open, Refused } from "./api.js";
import { seen } from "./page.js";

/** @typedef {{ stream: string, offset: number, data: string, gap?: { from: number, to: number }, restarted?: true }} Piece */

/**
 * The pieces of a job's output to its end, live; goes on where it was cut off. While nobody looks at the page it holds no
 * connection, of which a browser has only six for one server.
 * @param {string} id @param {(cut: boolean) => void} onCut @returns {AsyncGenerator<Omit<Piece, "data"> & { bytes: Uint8Array }>}
 */
export async function* follow(id, onCut) {
  const next = { stdout: 0, stderr: 0 };
  for (;;) {
    await seen();
    const hidden = new AbortController();
    const onChange = () => document.hidden && hidden.abort();
    document.addEventListener("visibilitychange", onChange);
    try {
      const query = new URLSearchParams({ stdout: `${next.stdout}`, stderr: `${next.stderr}`, follow: "true" });
      const response = await open(`/v1/jobs/${encodeURIComponent(id)}/output?${query}`, { signal: hidden.signal });
      onCut(false);
      for await (const line of lines(response)) {
        const { data, ...piece } = /** @type {Piece} */ (JSON.parse(line));
        const bytes = bytesOf(data);
        if (piece.restarted) next.stdout = next.stderr = 0;
        else next[/** @type {"stdout"} */ (piece.stream)] = piece.offset + bytes.length;
        yield { ...piece, bytes };
      }
      return;
    } catch (error) {
      if (hidden.signal.aborted) continue;
      if (error instanceof Refused && error.status !== 429 && error.status < 500) throw error;
      onCut(true);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    } finally {
      document.removeEventListener("visibilitychange", onChange);
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

/** @param {string} base64 @returns {Uint8Array} */
function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at); // a callback for each would take most of the time
  return bytes;
}
