// What the client says: each call is one line for the shell's own parser. Ids, nonces and numbers are checked against a pattern
// and go bare; everything else stands between single quotes, so nothing of the caller is ever outside of them.

/** One start of a command, as the runner takes it. */
export type RunCall = {
  /** `<jobId>.<run>`: the claim. */
  id: string;
  /** Random; every process of the run carries it in its environment. */
  token: string;
  /** Seconds after which the pod ends the run by itself. */
  deadlineS: number;
  graceMs: number;
  /** Kept bytes of each stream; rounded up to 512. */
  capBytes: number;
  /** Up to this many bytes of output come with the last frame. */
  inlineBytes: number;
  /** How many bytes were put as standard input before; or it is still being written, and fed while the command runs. */
  inputBytes: number | "live";
  /** End every other run of the pod first. */
  alone: boolean;
  /** What is known of an earlier call: none, the BOOT it met, or nothing. */
  again: "never" | "unknown" | { boot: string };
  /** Absolute, or "" for the container's own. */
  cwd: string;
  /** Runs to be over before this one starts. */
  fence: readonly string[];
  env: readonly (readonly [string, string])[];
  argv: readonly string[];
};

/** Pieces of standard input are at most this long. */
export const PIECE_BYTES = 32 * 1024;

/** Pieces fed to a running command are at most this long: each costs the pod two forks. */
export const FEED_BYTES = 64 * 1024;

const idPattern = /^[A-Za-z0-9._-]{1,128}$/;
const wordPattern = /^[A-Za-z0-9-]{1,64}$/;

/** A text as one shell word. There is no way to write a NUL. */
function quote(text: string): string {
  if (text.includes("\0")) throw new RangeError("a NUL byte cannot be passed to a command");
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Whether the runner takes it for the id of a run. */
export function isRunId(id: string): boolean {
  return idPattern.test(id);
}

/** The calls that the runner knows; each is one complete line. */
export const calls = {
  boot: (nonce: string, lookS: number, idleS: number, dirs: readonly string[]) =>
    line(["boot", word(nonce), number(lookS), number(idleS), ...dirs.map(quote)]),

  run: (call: RunCall) =>
    line([
      "run",
      id(call.id),
      word(call.token),
      number(call.deadlineS),
      number(call.graceMs),
      number(Math.max(1, Math.ceil(call.capBytes / 512))),
      number(call.inlineBytes),
      call.inputBytes === "live" ? "live" : number(call.inputBytes),
      call.alone ? "1" : "0",
      again(call.again),
      quote(call.cwd),
      number(call.fence.length),
      ...call.fence.map(id),
      number(call.env.length),
      ...call.env.map(([name, value]) => quote(`${name}=${value}`)),
      ...plain(call.argv).map(quote),
    ]),

  /** A piece of standard input; `offset` 0 begins anew. As printf's %b text, because that can say NUL. */
  put: (run: string, offset: number, piece: Uint8Array) => {
    if (piece.length > PIECE_BYTES) throw new RangeError(`a piece of standard input is at most ${PIECE_BYTES} bytes`);
    return Buffer.from(`{ put ${id(run)} ${number(offset)} ${printable(piece)}; }\n`, "latin1");
  },

  /** A piece of standard input for a command that runs; an empty one is the end. Taken only at the offset that the pod is at. */
  feed: (run: string, offset: number, piece: Uint8Array) => {
    if (piece.length > FEED_BYTES) throw new RangeError(`a piece of standard input is at most ${FEED_BYTES} bytes`);
    return Buffer.from(`{ feed ${id(run)} ${number(offset)} ${piece.length} ${printable(piece)}; }\n`, "latin1");
  },
  fed: (run: string) => line(["fed", id(run)]),

  get: (run: string, stdout: number, stderr: number, maxBytes: number) =>
    line(["get", id(run), number(stdout), number(stderr), number(maxBytes)]),
  tail: (run: string, stream: "o" | "e") => line(["tail_of", id(run), stream]),
  kill: (run: string, why: "timeout" | "cancel" | "fence", graceMs: number) => line(["kil", id(run), why, number(graceMs)]),
  signal: (run: string, n: number, signal: number) => line(["sig", id(run), number(n), number(signal)]),
  forget: (runs: readonly string[]) => line(["forget", ...runs.map(id)]),
  ping: (n: number) => line(["ping", number(n)]),
};

// printf's %b text in quotes: as latin1, it stands for any bytes.
function printable(piece: Uint8Array): string {
  const text = Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString("latin1");
  return `'${text.replaceAll("\\", "\\\\").replaceAll("\0", "\\0000").replaceAll("'", `'\\''`)}'`;
}

function line(words: readonly string[]): Buffer {
  return Buffer.from(`{ ${words.join(" ")}; }\n`);
}

function id(text: string): string {
  if (!isRunId(text)) throw new RangeError(`not the id of a run: ${JSON.stringify(text.slice(0, 200))}`);
  return text;
}

function word(text: string): string {
  if (!wordPattern.test(text)) throw new RangeError(`not a plain word: ${JSON.stringify(text.slice(0, 200))}`);
  return text;
}

function number(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a whole number: ${value}`);
  return String(value);
}

function again(known: RunCall["again"]): string {
  if (known === "never") return "0";
  return known === "unknown" ? "1" : word(known.boot);
}

// `env` would take a first word with `=` for an assignment.
function plain(argv: readonly string[]): readonly string[] {
  return argv[0]?.includes("=") ? ["sh", "-c", 'exec "$@"', "sh", ...argv] : argv;
}
