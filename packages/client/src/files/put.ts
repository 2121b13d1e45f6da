import { createHash, randomBytes } from "node:crypto";
import { PodqError } from "../errors.ts";
import type { InputStream } from "../feed.ts";
import type { Pod } from "../pod.ts";
import { placeOf, wordOf, type PodPath } from "./paths.ts";
import { begin, finish, type FileOptions } from "./programs.ts";

/** Options of putting a file. */
export type PutOptions = FileOptions & {
  /** Its permissions. Default 0o644. */
  mode?: number;
};

/** What was transferred: both ends agree on it. */
export type Transferred = { bytes: number; sha256: string };

const keptWhole = 1_048_576;

/** Sends bytes to the program that puts them under a name, the checksum behind them. */
export async function put(
  pod: Pick<Pod, "exec">,
  path: PodPath,
  source: string | Uint8Array | InputStream,
  options: PutOptions & { kind?: "file" | "tree" } = {},
): Promise<Transferred> {
  const { kind = "file", mode = 0o644, signal } = options;
  const { folder, name, shown } = placeOf(path);
  if (kind === "file" && name.byteLength === 0) throw new PodqError("path-refused", `${shown}: names no file`);
  const hash = createHash("sha256");
  const token = randomBytes(8).toString("hex");
  const args = [wordOf(folder), wordOf(name), token, (mode & 0o7777).toString(8), kind];
  let bytes = 0;
  let failure: { error: unknown } | undefined;
  const summed = async function* (pieces: InputStream): AsyncGenerator<Buffer> {
    try {
      for await (const given of pieces) {
        const piece = Buffer.from(given as Uint8Array);
        hash.update(piece);
        bytes += piece.byteLength;
        yield piece;
      }
    } catch (error) {
      failure = { error };
      throw error;
    }
    yield Buffer.from(`${hash.digest("hex")}\n`);
  };
  const stream = typeof source === "string" || source instanceof Uint8Array ? cut(Buffer.from(source as Uint8Array)) : source;
  const whole = (typeof source === "string" || source instanceof Uint8Array) && source.length <= keptWhole;
  const stdin = whole ? await gather(summed(stream)) : summed(stream);
  try {
    const job = await begin(pod, "put", args, options, { stdin });
    const { stdout } = await finish(job, shown, signal);
    const [sha256 = "", size] = stdout.text().trim().split(" ");
    if (Number(size) !== bytes)
      throw new PodqError("conflict", `${shown}: ${bytes} bytes were sent, and ${size} arrived`, { jobId: job.id });
    return { bytes, sha256 };
  } catch (error) {
    throw failure === undefined ? error : failure.error;
  }
}

// A Buffer as a stream, so that what is large is not kept twice.
async function* cut(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.byteLength; at += keptWhole) yield bytes.subarray(at, at + keptWhole);
}

async function gather(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}
