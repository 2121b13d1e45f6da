import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Channel, Exit, Open } from "../run.ts";

/** A directory with a journal's place in it, and a shell beside it: as much of a pod as the runner needs. For tests. */
export type LocalPod = {
  dir: string;
  journal: string;
  open: Open;
  /** The shells that were opened, oldest first. */
  shells: ChildProcess[];
  stop(): Promise<void>;
};

/** `shell` is the argv that stands for the pod's `sh`. */
export function localPod(shell: readonly string[]): LocalPod {
  const dir = mkdtempSync(join(tmpdir(), "podq-exec-"));
  const journal = join(dir, "podq");
  mkdirSync(journal);
  const shells: ChildProcess[] = [];
  const ends: Promise<unknown>[] = [];
  const open: Open = () => {
    const [file = "sh", ...args] = shell;
    const child = spawn(file, args, { cwd: dir, stdio: ["pipe", "pipe", "pipe"] });
    shells.push(child);
    const none = Buffer.alloc(0);
    const ended = new Promise<Exit>((resolve) => {
      child.once("close", (code, signal) => resolve({ kind: "exit", code, signal, stdout: none, stderr: none }));
      child.once("error", (error) => resolve({ kind: "exit", code: 127, signal: null, stdout: none, stderr: Buffer.from(error.message) }));
    });
    ends.push(ended);
    const channel: Channel = { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, ended, close: () => void child.kill("SIGKILL") };
    return Promise.resolve({ kind: "open", channel });
  };
  return {
    dir,
    journal,
    open,
    shells,
    async stop() {
      for (const child of shells) child.stdin?.end();
      await Promise.all(ends);
      rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}
