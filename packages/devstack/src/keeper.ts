import { spawn } from "node:child_process";
import type { Readable } from "node:stream";

// The server is a child of a small sh that holds the reading end of a pipe whose writing end only we hold. Whatever ends us
// (SIGKILL included), the kernel closes the pipe, the reader sees the end of it and ends the server. fd 3 tells us the pid;
// the server must inherit neither. `read` is a builtin: no further process waits there. The folder may hold what others are just
// writing, or folders without write permission.
const KEEPER = `
dir=$1 signal=$2; shift 2
exec 4<&0
"$@" </dev/null 3>&- 4<&- & pid=$!
echo "$pid" >&3; exec 3>&- >/dev/null 2>&1
{ while read -r _ <&4; do :; done
  kill -"$signal" "$pid"; n=0
  while kill -0 "$pid" && [ "$n" -lt 50 ]; do n=$((n + 1)); sleep 0.1; done
  kill -KILL "$pid"; } & reader=$!
exec 4<&-
wait "$pid"; code=$?
kill -KILL "$reader"
n=0
until [ -z "$dir" ] || rm -rf "$dir" || [ "$n" -ge 20 ]; do chmod -R u+rwx "$dir"; n=$((n + 1)); sleep 0.1; done
exit "$code"`;

/** A process that cannot outlive this one. */
export type Kept = {
  /** The pid of the process itself, not of its keeper. */
  pid: number;
  /** Its exit code (128 + signal if it was killed), once it is gone and its folder is removed. */
  exited: Promise<number>;
  /** The last of what it wrote on stdout and stderr. */
  output: () => string;
  /** Ends it as `signal` says, and resolves when it is gone. */
  end: () => Promise<void>;
};

/**
 * Options of `keep`: `removeDir` is removed when the process has ended, however that came; `signal` is how it is ended
 * (default TERM; KILL follows TERM after 5 s); `env` replaces the environment.
 */
export type KeepOptions = { removeDir?: string; signal?: "TERM" | "KILL"; env?: NodeJS.ProcessEnv };

/** Starts `argv` so that it ends when this process ends, whatever ends this process. */
export async function keep(argv: readonly string[], options: KeepOptions = {}): Promise<Kept> {
  const child = spawn("/bin/sh", ["-c", KEEPER, "podq-keeper", options.removeDir ?? "", options.signal ?? "TERM", ...argv], {
    detached: true,
    stdio: ["pipe", "pipe", "pipe", "pipe"],
    env: options.env ?? process.env,
  });
  let tail = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      tail = (tail + text).slice(-8192);
    });
  }
  // A keeper that is gone no longer reads: the error says nothing that `exited` does not.
  child.stdin.on("error", () => {});
  const exited = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 128));
  });
  const pid = await Promise.race([firstLine(child.stdio[3] as Readable), exited.then(() => "")]);
  return {
    pid: Number(pid),
    exited,
    output: () => tail,
    end: async () => {
      child.stdin.end();
      await exited;
    },
  };
}

function firstLine(stream: Readable): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    stream.setEncoding("utf8").on("data", (more: string) => {
      text += more;
    });
    stream.once("close", () => resolve(text.trim()));
  });
}
