// What is sent to the host as a command line. The login shell only has to know `exec` and single quotes: the rest is for
// /bin/sh, with everything that varies as positional parameters.
import { quoteArgv } from "./quote.ts";

const TOKEN = "PODQ_SSH_TOKEN";

// `timeout` ends the command when nobody here is left to do it. A host without it runs the command all the same.
const RUN = `export ${TOKEN}="$1"; n="$2"; shift 2; command -v timeout >/dev/null 2>&1 && exec timeout -k 5 "$n" "$@"; exec "$@"`;
const HOLD = `export ${TOKEN}="$1"; shift; exec "$@"`;

// Ends every process that has one of the tokens of stdin in its environment or its command line: the second covers a
// command whose login shell is still starting. The tokens come by stdin so that the killer cannot find itself.
// TERM for 2 s, then KILL. 0: none is left. 75: some are, or this host has no /proc to tell.
// An empty first look is checked once more, because the command may be between fork and exec.
const KILL = `
[ -r /proc/self/environ ] || exit 75
tokens=$(cat)
n=0 calm=
while :; do
  pids=$(printf "%s\\n" "$tokens" | grep -lsF -f - /proc/[0-9]*/environ /proc/[0-9]*/cmdline | cut -d/ -f3 | sort -u)
  if [ -z "$pids" ]; then
    [ -n "$calm" ] && exit 0
    calm=1
  else
    calm=1
    [ $n -ge 30 ] && exit 75
    if [ $n -lt 20 ]; then kill -TERM $pids 2>/dev/null; else kill -KILL $pids 2>/dev/null; fi
  fi
  n=$((n + 1))
  sleep 0.1
done`;

/** The command line for a collected command: marked with the token, ended by the host itself after `limitSeconds`. */
export function runLine(argv: readonly string[], token: string, limitSeconds: number): string {
  return `exec ${quoteArgv(["/bin/sh", "-c", RUN, "sh", token, String(limitSeconds), ...argv])}`;
}

/** The command line for a held command: marked with the token, without a limit of the host's. */
export function holdLine(argv: readonly string[], token: string): string {
  return `exec ${quoteArgv(["/bin/sh", "-c", HOLD, "sh", token, ...argv])}`;
}

/** The command line of the killer, which reads tokens from stdin, one a line. */
export function killLine(): string {
  return `exec ${quoteArgv(["/bin/sh", "-c", KILL])}`;
}
