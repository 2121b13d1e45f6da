#!/usr/bin/env node
import { CommanderError } from "commander";
import { exitCodes, failureOf } from "./context.ts";
import { createProgram } from "./program.ts";

const interrupted = new AbortController();
const onSignal = (): void => {
  if (interrupted.signal.aborted) process.exit(130); // asked twice: now
  interrupted.abort(new Error("interrupted"));
};
process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
process.stdout.on("error", () => process.exit(0)); // the reader has gone, as in `podq ls | head -1`

let exitCode = 0;
const argv = process.argv.slice(2);
const { stdin, stdout, stderr } = process;
try {
  await createProgram({ stdin, stdout, stderr, interrupt: interrupted.signal, exit: (code) => (exitCode = code) }).parseAsync(argv, {
    from: "user",
  });
} catch (error) {
  if (error instanceof CommanderError) {
    exitCode = error.exitCode === 0 ? 0 : exitCodes.usage;
    if (exitCode !== 0)
      stderr.write(
        `podq: ${error.message.replace(/^error: /, "").split("\n", 1)[0]}; \`podq ${argv[0] ?? ""} --help\` shows the options\n`,
      );
  } else {
    const { code, line } = failureOf(error, argv[0] === "exec");
    exitCode = code;
    stderr.write(line);
  }
}
process.exitCode = exitCode;
