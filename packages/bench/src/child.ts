import { fork } from "node:child_process";
import { BenchError } from "./errors.ts";

/** A process of the bench's own. It ends itself when the bench is gone, since its message channel closes then. */
export type Child = {
  pid: number;
  /** Sends it something more than its settings. */
  tell: (message: object) => void;
  /** Ends it in an orderly way, by force after a while. */
  stop: () => Promise<void>;
  /** Rejects when it ends. */
  failed: Promise<never>;
};

const STOP_MS = 15_000;

/** Starts `file`, gives it its settings, and resolves when it sends "ready"; `heard` is told all else that it sends. */
export async function startChild(file: URL, settings: object, heard: (message: never) => void = () => undefined): Promise<Child> {
  const child = fork(file, { execArgv: [], stdio: ["ignore", 2, 2, "ipc"] });
  const ready = Promise.withResolvers<void>();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined); // an end that nobody waits against is an orderly one
  child.once("error", failed.reject);
  child.once("exit", (code, signal) => failed.reject(new BenchError("child-ended", `${file.pathname} ended (${signal ?? code})`)));
  child.on("message", (message) => (message === "ready" ? ready.resolve() : heard(message as never)));
  child.send(settings);
  await Promise.race([ready.promise, failed.promise]);
  return {
    pid: child.pid!,
    tell: (message) => void child.send(message),
    failed: failed.promise,
    async stop() {
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      if (child.connected) child.disconnect();
      await failed.promise.catch(() => undefined);
      clearTimeout(timer);
    },
  };
}

/** For the child: its settings. Afterwards `stop` is called once, when the bench lets go of the child or is gone. */
export async function settingsOf<Settings>(stop: () => Promise<void>): Promise<Settings> {
  process.once("disconnect", () => void stop().finally(() => process.exit()));
  return new Promise((resolve) => process.once("message", (settings) => resolve(settings as Settings)));
}
