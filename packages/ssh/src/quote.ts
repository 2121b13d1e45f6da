/** One word of a POSIX shell, whatever the bytes: single quotes protect all but the single quote. Throws on NUL, which no argv can hold. */
export function quoteWord(word: string): string {
  if (word.includes("\0")) throw new TypeError("an argument cannot hold a NUL character");
  if (/^[A-Za-z0-9_./:@%+,-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line that gives the shell exactly this argv. */
export function quoteArgv(argv: readonly string[]): string {
  return argv.map(quoteWord).join(" ");
}
