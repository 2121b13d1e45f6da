import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { PodqError } from "../errors.ts";
import type { Job } from "../job.ts";
import type { Pod } from "../pod.ts";
import { placeOf, wordOf, type PodPath } from "./paths.ts";
import { begin, finish, type FileOptions } from "./programs.ts";

/** What a file is that is read: told before its first byte. */
export type FileHead = { bytes: number; mode: number };

const mebibyte = 1_048_576;
// A part is the output of one job: what several of them keep in the pod and in MongoDB at a time stays small.
const partBlocks = 32;
const partBytes = partBlocks * mebibyte;
const tries = 5;
const pauseMs = 500;
// What a further attempt may mend: a part is read as often as it takes.
const passing: ReadonlySet<string> = new Set(["outcome-unknown", "host-unreachable", "cluster-unreachable", "internal", "unavailable"]);

type State = { id: string; head: FileHead };

/**
 * Reads a file part by part, each checked; the next part is on its way while one is taken. All of them are of one and the same
 * state of the file, or it throws PodqError `conflict`.
 */
export async function* get(
  pod: Pick<Pod, "exec">,
  path: PodPath,
  options: FileOptions = {},
  onHead: (head: FileHead) => void = () => undefined,
): AsyncGenerator<Buffer> {
  const { folder, name, shown } = placeOf(path);
  if (name.byteLength === 0) throw new PodqError("path-refused", `${shown}: is a folder`);
  let state: State | undefined;
  let ahead: { block: number; job: Promise<Job<"exec">> } | undefined;
  const due = (): number => state?.head.bytes ?? Infinity;
  const start = async (block: number): Promise<Job<"exec">> => {
    const args = [wordOf(folder), wordOf(name), String(block), String(partBlocks), state?.id ?? "-"];
    return begin(pod, "get", args, options, { maxOutputBytes: partBytes + mebibyte });
  };
  const learn = (told: string, block: number): State | undefined => {
    const found = stateOf(told);
    if (found === undefined) return undefined;
    if (state === undefined) onHead(found.head);
    state = found;
    const next = block + partBlocks;
    if (ahead === undefined && next * mebibyte < found.head.bytes) {
      ahead = { block: next, job: start(next) };
      ahead.job.catch(() => undefined); // whoever awaits it hears of it
    }
    return found;
  };

  try {
    for (let block = 0; block * mebibyte < due(); block += partBlocks) {
      const taken = { bytes: 0, hash: createHash("sha256") };
      for (let attempt = 1, whole = false; !whole; attempt++) {
        const starting = ahead?.block === block ? ahead.job : start(block);
        ahead = undefined;
        const job = await starting;
        try {
          yield* readPart(job, shown, taken, options.signal, (told) => learn(told, block));
          whole = true;
        } catch (error) {
          if (!(error instanceof PodqError) || !passing.has(error.code) || attempt === tries || options.signal?.aborted) throw error;
          await delay(pauseMs * attempt, undefined, { signal: options.signal });
        } finally {
          void letGo(job, whole);
        }
      }
    }
  } finally {
    void ahead?.job.then(async (job) => letGo(job, false)).catch(() => undefined);
  }
}

// Yields what no earlier attempt has; the checksum is of all of it.
async function* readPart(
  job: Job<"exec">,
  shown: string,
  taken: { bytes: number; hash: ReturnType<typeof createHash> },
  signal: AbortSignal | undefined,
  learn: (told: string) => State | undefined,
): AsyncGenerator<Buffer> {
  let told = "";
  let state: State | undefined;
  let arrived = 0;
  const early: Buffer[] = []; // came before the word of what it is
  for await (const { stream, data, gap } of job.output(signal === undefined ? {} : { signal })) {
    if (gap) throw new PodqError("internal", `${shown}: some of what was read was not kept`);
    if (stream === "stderr") {
      told += data.toString();
      state ??= learn(told);
    } else {
      const fresh = data.subarray(Math.max(0, taken.bytes - arrived));
      arrived += data.byteLength;
      if (fresh.byteLength === 0) continue;
      taken.bytes += fresh.byteLength;
      taken.hash.update(fresh);
      early.push(fresh);
    }
    if (state !== undefined) yield* early.splice(0);
  }
  if (!/^done$/m.test(told)) {
    await finish(job, shown, signal); // throws what went wrong
    throw new PodqError("internal", `${shown}: the pod did not say that all was read`, { jobId: job.id });
  }
  if (!told.includes(taken.hash.digest("hex")))
    throw new PodqError("conflict", `${shown}: it did not arrive as it was sent`, { jobId: job.id });
}

function stateOf(told: string): State | undefined {
  const [, id, bytes, mode] = /^file (\S+) (\d+) ([0-9a-f]+)\n/m.exec(told) ?? [];
  return id === undefined ? undefined : { id, head: { bytes: Number(bytes), mode: Number.parseInt(mode!, 16) & 0o7777 } };
}

async function letGo(job: Job<"exec">, whole: boolean): Promise<void> {
  try {
    if (!whole) await job.cancel({ reason: "its caller gave it up" });
    await job.discardOutput();
  } catch {} // then it goes in some days
}
