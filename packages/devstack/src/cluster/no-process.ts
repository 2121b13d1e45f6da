import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { StartError } from "./sandbox.ts";
import type { Sandbox } from "./sandbox.ts";

/** A container that is only said to run, for who looks at thousands of them: it ends when it is told to, and nothing can be run in it. */
export async function startNothing(): Promise<Sandbox> {
  const exited = Promise.withResolvers<number>();
  return {
    pid: 0,
    address: "127.0.0.1",
    exited: exited.promise,
    kill: (signal) => exited.resolve(signal === "SIGKILL" ? 137 : 143),
    exec: (): ChildProcessWithoutNullStreams => {
      throw new StartError("there is no process in it");
    },
    inNetwork: (command) => [...command],
    log: async () => "",
    usage: async () => [],
    killInside: () => {},
  };
}
