// The commands that are run in pods: each says to a collector outside when it starts, goes on and ends, before it does so, and
// writes what can be told from its name alone.

/** Where marks go: a file that every pod sees, or a listener on the pods' network. */
export type MarksTo = { file: string } | { host: string; port: number };

/** What a command does: so many lines on both streams, a pause after each, then its exit code; or its input, given back. */
export type Work = { token: string; lines: number; padBytes: number; pauseMs: number; exitCode: number; input: string | null };

/** What it writes when it is not ended early. */
export function expectedOutput({ token, lines, padBytes, input }: Work): { stdout: string; stderr: string } {
  if (input !== null) return { stdout: input, stderr: "" };
  const all = (stream: string): string =>
    Array.from({ length: lines }, (_, i) => `${stream} ${token} ${i + 1} ${"x".repeat(padBytes)}\n`).join("");
  return { stdout: all("o"), stderr: all("e") };
}

/** Its text for the pod's shell. The kernel's clock is read before each mark is told, and the mark is told before the effect. */
export function shellText(work: Work, to: MarksTo): string {
  const tell = "file" in to ? `>>${to.file}` : `| nc -w 9 ${to.host} ${to.port}`;
  const { token, lines, padBytes, pauseMs, exitCode, input } = work;
  const body =
    input === null
      ? `p=$(printf '%0${Math.max(1, padBytes)}d' 0 | tr 0 x); ${padBytes === 0 ? "p=; " : ""}i=0; while [ $i -lt ${lines} ]; do ` +
        `i=$((i + 1)); echo "o ${token} $i $p"; echo "e ${token} $i $p" >&2; sleep ${pauseMs / 1000}; m t $i; done`
      : "cat";
  return `m() { read -r u q </proc/uptime; echo "$1 ${token} $PODQ_RUN $u $HOSTNAME $2" ${tell}; }; m s 0 || exit 97; ${body}; m e ${exitCode} || exit 98; exit ${exitCode}`;
}

/** One mark: `start`, `tick` (alive, so many lines on), `end` (about to exit with this code). `atS`: seconds on the kernel's clock since boot. */
export type Mark = { kind: "start" | "tick" | "end"; token: string; run: string; atS: number; host: string; value: number };

const kinds = { s: "start", t: "tick", e: "end" } as const;

/** Reads a collector's lines. Throws on one that no command can have told. */
export function parseMarks(text: string): Mark[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [, letter, token, run, at, host, value] = /^([ste]) (\S+) (\S+) (\d+\.\d+) (\S*) (\d+)$/.exec(line) ?? [];
      if (letter === undefined) throw new RangeError(`not a mark: ${JSON.stringify(line)}`);
      return { kind: kinds[letter as keyof typeof kinds], token: token!, run: run!, atS: Number(at), host: host!, value: Number(value) };
    });
}
