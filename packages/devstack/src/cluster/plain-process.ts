import { spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { keep } from "../keeper.ts";
import { until } from "../until.ts";
import { StartError } from "./sandbox.ts";
import type { ContainerPlan, Sandbox } from "./sandbox.ts";

function signal(target: number, name: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(target, name);
  } catch {
    // Gone already.
  }
}

// What is left where the kernel grants no namespaces: a process of this machine in a session of its own. The pod's paths do not
// exist there, so names of mounted folders are replaced by where they really are, in arguments and environment alone.
const RUN = `echo $$ >"$1/pid"; exec >>"$1/log" 2>&1; cd "$2" || exit; shift 2; exec "$@"`;

/** Starts a container as a plain process in a folder: no isolation at all, and what its execs leave behind outlives a SIGKILL of ours. */
export async function startPlain(plan: ContainerPlan): Promise<Sandbox> {
  const { dir, volumes, workingDir } = plan;
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "log"), "");
  const real = (text: string): string => {
    const found = volumes.find(({ to }) => text === to || text.startsWith(`${to}/`));
    return found ? found.from + text.slice(found.to.length) : text;
  };
  const mapped = Object.fromEntries(Object.entries(plan.env).map(([name, value]) => [name, real(value)]));
  const env = { ...mapped, PATH: process.env.PATH ?? "/usr/bin:/bin" };
  const argv = ["setsid", "--wait", "/bin/sh", "-c", RUN, "podq-plain", dir, real(workingDir), ...plan.argv.map(real)];
  const kept = await keep(argv, { env, signal: "TERM" });
  let over = false;
  void kept.exited.then(() => {
    over = true;
  });
  const pid = await until("the container's process runs", async () => {
    const text = await readFile(join(dir, "pid"), "utf8").catch(() => "");
    if (text.endsWith("\n")) return Number(text);
    if (over) throw new StartError(`failed to create containerd task: ${kept.output()}`);
    return undefined;
  });
  const groups: number[] = [];
  void kept.exited.then(() => groups.forEach((group) => signal(-group, "SIGKILL")));
  return {
    pid,
    address: "127.0.0.1",
    exited: kept.exited,
    kill: (name) => signal(name === "SIGKILL" ? -pid : pid, name),
    exec: (command) => {
      const [program = "", ...args] = command.map(real);
      const child = spawn(program, args, { detached: true, stdio: "pipe", cwd: real(workingDir), env });
      if (child.pid !== undefined) groups.push(child.pid);
      return child;
    },
    inNetwork: (command) => [...command],
    log: () => readFile(join(dir, "log"), "utf8"),
    usage: async () => [],
    killInside: () => {},
  };
}
