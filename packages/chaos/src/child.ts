import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { ChaosError } from "./errors.ts";

/** A process of the run's own. It ends itself when the run is gone, since its message channel closes then. */
export type Child = {
  pid: number;
  send: (message: object) => void;
  signal: (signal: NodeJS.Signals) => void;
  /** How it ended: an exit code, or a signal. */
  exited: Promise<number | string>;
};

/** Starts `file` with its standard error going to a file, and resolves when it sends "ready"; `heard` is told all else that it sends. */
export async function startChild(file: URL, settings: object, logFd: number, heard: (message: never) => void): Promise<Child> {
  const child = fork(file, { execArgv: [], stdio: ["ignore", logFd, logFd, "ipc"] });
  // What it said last may be heard after its end.
  const silent = once(child, "disconnect");
  const exited = once(child, "exit").then(async ([code, signal]) => {
    await silent;
    return (signal as string | null) ?? (code as number);
  });
  const ready = Promise.withResolvers<void>();
  child.on("message", (message) => (message === "ready" ? ready.resolve() : heard(message as never)));
  child.on("error", () => undefined); // a message that it did not take; its end says the rest
  tell(child, settings);
  await Promise.race([
    ready.promise,
    exited.then((how) => Promise.reject(new ChaosError("child-ended", `${file.pathname} ended before it was ready (${how})`))),
  ]);
  return { pid: child.pid!, send: (message) => tell(child, message), signal: (signal) => void child.kill(signal), exited };
}

function tell(child: ChildProcess, message: object): void {
  if (child.connected) child.send(message, () => undefined);
}

/** For the child: its settings, the first message. Without the run that started it, it ends at once. */
export async function settingsOf<Settings>(): Promise<Settings> {
  process.once("disconnect", () => process.exit());
  const [settings] = await once(process, "message");
  return settings as Settings;
}

/** For the child: tells the run something; resolves when it is told. */
export async function report(message: unknown): Promise<void> {
  await new Promise<void>((resolve) => {
    if (process.connected) process.send?.(message, () => resolve());
    else resolve();
  });
}
