// What is sent to the host as a command line. The login shell only has to know `exec` and single quotes: the rest is for
// /bin/sh, with everything that varies as positional parameters.
import { quoteArgv } from "./quote.ts";

const TOKEN = "PODQ_SSH_TOKEN";
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

// `timeout` ends the command when nobody here is left to do it. A host without it runs the command all the same.
const RUN = `export ${TOKEN}="$1"; n="$2"; shift 2; command -v timeout >/dev/null 2>&1 && exec timeout -k 5 "$n" "$@"; exec "$@"`;
const HOLD = `export ${TOKEN}="$1"; shift; exec "$@"`;

// Ends every process that has one of the tokens in its environment or its command line: the second covers a command whose
// login shell is still starting. TERM for 2 s, then KILL. 0: none is left. 75: some are, or this host has no /proc to tell.
// An empty first look is checked once more, because the command may be between fork and exec.
//
// What it must never do is look for less than a whole token: an empty pattern is found in every process of the host. So the
// tokens are arguments, which come whole or not at all (stdin may be cut anywhere), each is checked for its shape, and
// all go to grep in one write. Their first hyphen is a dot on the way, so that the killer does not find itself; if it
// does all the same, what it looks for is wrong, and it touches nothing.
const KILL = `
[ $# -gt 0 ] && [ -r /proc/self/environ ] || exit 75
tokens=
for t; do
  case $t in
    *[!0-9a-f.-]*) exit 75 ;;
    ????????.????-????-????-????????????) tokens="$tokens\${t%%.*}-\${t#*.}
" ;;
    *) exit 75 ;;
  esac
done
n=0 calm=
while :; do
  pids=$(printf %s "$tokens" | grep -lsF -f - /proc/[0-9]*/environ /proc/[0-9]*/cmdline | cut -d/ -f3 | sort -u)
  for pid in $pids; do [ "$pid" = $$ ] && exit 75; done
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

/** Tokens that one killer takes: few enough for one write into a pipe. */
export const MOST_TOKENS = 50;

/** The command line of the killer of these tokens, which are UUIDs. Throws on anything else. */
export function killLine(tokens: readonly string[]): string {
  if (tokens.length === 0 || tokens.length > MOST_TOKENS) throw new RangeError(`a killer takes 1 to ${MOST_TOKENS} tokens`);
  for (const token of tokens) if (!UUID.test(token)) throw new TypeError("a token is a UUID");
  return `exec ${quoteArgv(["/bin/sh", "-c", KILL, "sh", ...tokens.map((token) => token.replace("-", "."))])}`;
}
