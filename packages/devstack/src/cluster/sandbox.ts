import { spawn, spawnSync } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { keep } from "../keeper.ts";
import type { Kept } from "../keeper.ts";
import { until } from "../until.ts";
import type { Image, Mount } from "./images.ts";
import { memoryUsage } from "./memory.ts";
import type { Usage } from "./memory.ts";

/** What one container is started from: `volumes` are folders of the machine by where the pod sees them. */
export type ContainerPlan = {
  dir: string;
  image: Image;
  hostname: string;
  address: string;
  uid: number;
  gid: number;
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  workingDir: string;
  volumes: readonly Mount[];
  readOnlyRoot: boolean;
};

/** A container that runs: a process that is PID 1 of namespaces of its own. */
export type Sandbox = {
  /** The pid of its PID 1, as this machine counts. */
  pid: number;
  /** Where its servers answer, seen from its own network. */
  address: string;
  exited: Promise<number>;
  kill: (signal: "SIGTERM" | "SIGKILL") => void;
  /** Starts a program in it; 127 or 126 with a sentence of nsenter's on stderr means that it could not be started. */
  exec: (argv: readonly string[]) => ChildProcessWithoutNullStreams;
  /** The command that starts `argv` in the container's network alone, outside its files. */
  inNetwork: (argv: readonly string[]) => string[];
  log: () => Promise<string>;
  /** The memory of its processes; empty where that cannot be told. */
  usage: () => Promise<Usage[]>;
  /** Kills one of its processes, by the pid that it has inside. */
  killInside: (pid: number) => void;
};

/** A container that could not be started: in the words of runc. */
export class StartError extends Error {}

// Runs as root of a user namespace of its own, the machine's tree still in place. Last it becomes the container's first program,
// in a further user namespace where it is the user whom the pod names, without any capability.
const SETUP = `
set -e
dir=$1 root=$2 name=$3 readonly=$4; shift 4
read -r pid rest </proc/self/stat
hostname "$name" || :
mount --bind "$root" "$root"
mount --fstab "$dir/fstab" --all
if command -v ip >/dev/null; then ip -batch "$dir/net"; else python3 "$dir/net.py"; fi
if [ -n "$readonly" ]; then mount -o remount,bind,ro "$root"; fi
echo "$pid" >"$dir/pid"
exec >>"$dir/log" 2>&1
exec "$@"`;

// For a machine without iproute2: SIOCSIFADDR and SIOCSIFFLAGS on the loopback device.
const NET_PY = `
import fcntl, socket, struct, sys
s = socket.socket()
def up(name, address=None):
    if address: fcntl.ioctl(s, 0x8916, struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(address)))
    fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", name, 0x49))
up(b"lo")
up(b"lo:1", "ADDRESS")
up(b"lo:2", "API_ADDRESS")
`;

/** Where every pod is told that the API server is: an address in each pod's own network. */
export const API_ADDRESS = "10.96.0.1";

const NAMESPACES = ["--user", "--map-root-user", "--mount", "--pid", "--net", "--uts", "--ipc"];

/** Whether this machine lets this user make the namespaces that a pod needs. */
export function canIsolate(): boolean {
  const probe = ["--fork", "--kill-child", "sh", "-c", "mount -t proc proc /proc && unshare --user --map-user=1000 --root=/ --wd=/ true"];
  return spawnSync("unshare", [...NAMESPACES, ...probe], { stdio: "ignore", timeout: 10_000 }).status === 0;
}

/** Starts a container in namespaces of its own. Throws a StartError if its program cannot be started. */
export async function startIsolated(plan: ContainerPlan): Promise<Sandbox> {
  const { dir, uid, gid } = plan;
  const root = join(dir, "root");
  await mkdir(root, { recursive: true });
  const mounts = [...(await plan.image.unpack(root, plan)), ...plan.volumes];
  await makeMountPoints(root, plan);
  await writeFile(join(dir, "fstab"), fstab(root, mounts));
  await writeFile(join(dir, "net"), `link set lo up\naddr add ${plan.address}/32 dev lo\naddr add ${API_ADDRESS}/32 dev lo\n`);
  await writeFile(join(dir, "net.py"), NET_PY.replace('"ADDRESS"', `"${plan.address}"`).replace("API_ADDRESS", API_ADDRESS));
  await writeFile(join(dir, "log"), "");
  const env = Object.entries(plan.env).map(([name, value]) => `${name}=${value}`);
  const become = [program("unshare"), "--user", `--map-user=${uid}`, `--map-group=${gid}`, `--root=${root}`, `--wd=${plan.workingDir}`];
  const inner = [program("env"), "-i", ...env, ...become, "--", ...plan.argv];
  const outer = [program("unshare"), ...NAMESPACES, "--fork", "--kill-child"];
  const kept = await keep(
    [...outer, "--", "/bin/sh", "-c", SETUP, "podq-setup", dir, root, plan.hostname, plan.readOnlyRoot ? "1" : "", ...inner],
    {
      signal: "KILL",
    },
  );
  const pid = await started(kept, plan, root);
  return sandbox(kept, pid, plan, (argv) => {
    const enter = namespaces(kept.pid, pid);
    const user = [
      program("nsenter"),
      `--user=/proc/${pid}/ns/user`,
      `--root=/proc/${pid}/root`,
      `--wd=/proc/${pid}/root${plan.workingDir}`,
    ];
    return [...enter, program("env"), "-i", ...env, ...user, "--preserve-credentials", "--", ...argv];
  });
}

function namespaces(outer: number, inner: number): string[] {
  const of = `/proc/${outer}/ns`;
  const which = [
    `--user=${of}/user`,
    `--mount=${of}/mnt`,
    `--net=${of}/net`,
    `--uts=${of}/uts`,
    `--ipc=${of}/ipc`,
    `--pid=/proc/${inner}/ns/pid`,
  ];
  return [program("nsenter"), ...which, "--preserve-credentials", "--"];
}

function sandbox(kept: Kept, pid: number, plan: ContainerPlan, enter: (argv: readonly string[]) => string[]): Sandbox {
  return {
    pid,
    address: plan.address,
    exited: kept.exited.then((code) => endCode(code, kept.output())),
    kill: (signal) => {
      try {
        process.kill(pid, signal);
      } catch {
        // Gone already.
      }
    },
    exec: (argv) => {
      const [command = "", ...args] = enter(argv);
      return spawn(command, args, { detached: true, stdio: "pipe", env: {} });
    },
    inNetwork: (argv) => [
      program("nsenter"),
      `--user=/proc/${kept.pid}/ns/user`,
      `--net=/proc/${kept.pid}/ns/net`,
      "--preserve-credentials",
      "--",
      ...argv,
    ],
    log: () => readFile(join(plan.dir, "log"), "utf8"),
    usage: () => memoryUsage(`/proc/${pid}/root/proc`),
    killInside: (inside) => {
      const enter = [`--user=/proc/${kept.pid}/ns/user`, `--pid=/proc/${pid}/ns/pid`, "--preserve-credentials", "--"];
      spawn(program("nsenter"), [...enter, program("kill"), "-KILL", String(inside)], { stdio: "ignore" }).on("error", () => {});
    },
  };
}

// An unshare whose child was killed by SIGKILL wants to die of it too, cannot, says this and exits with 1.
const endCode = (code: number, words: string): number => (code === 1 && words.includes("unshare: sigprocmask unblock failed") ? 137 : code);

// It runs when the process that was set up has become another program: its command line no longer names our folder.
async function started(kept: Kept, plan: ContainerPlan, root: string): Promise<number> {
  let code: number | undefined;
  void kept.exited.then((value) => {
    code = value;
  });
  const pid = await until(
    "the container is set up",
    async () => {
      const text = existsSync(join(plan.dir, "pid")) ? readFileSync(join(plan.dir, "pid"), "utf8") : "";
      if (text.endsWith("\n")) return Number(text);
      if (code !== undefined)
        throw new StartError(`failed to create containerd task: the sandbox ended with ${code}: ${kept.output().trim()}`);
      return undefined;
    },
    { everyMs: 2 },
  );
  await until(
    "the container's program runs",
    async () => {
      if (code !== undefined) return true;
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        return (line !== "" && !line.includes(`--root=${root}`) && !line.includes("podq-setup")) || undefined;
      } catch {
        return undefined;
      }
    },
    { everyMs: 2 },
  );
  if (code === 127 || code === 126) {
    const [, words] = /^unshare: failed to execute (.*)$/m.exec(await readFile(join(plan.dir, "log"), "utf8")) ?? [];
    if (words !== undefined)
      throw new StartError(
        `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: ${cannotStart(plan.argv[0] ?? "", words)}`,
      );
  }
  return pid;
}

/** Runc's sentence for a program that cannot be executed; `words` are those of the system. */
export function cannotStart(name: string, words: string): string {
  const quoted = JSON.stringify(name);
  const why = !words.includes("No such file") ? "permission denied" : name.includes("/") ? "" : "executable file not found in $PATH";
  const sentence = why === "" ? `stat ${name}: no such file or directory` : why;
  return `unable to start container process: exec: ${quoted}: ${sentence}: unknown`;
}

async function makeMountPoints(root: string, plan: ContainerPlan): Promise<void> {
  await chmod(root, 0o755);
  for (const { to } of plan.volumes) await mkdir(join(root, to), { recursive: true });
  await mkdir(join(root, plan.workingDir), { recursive: true });
  await chmod(root, 0o555);
}

function fstab(root: string, mounts: readonly Mount[]): string {
  const lines = mounts.map(({ from, to, mode }) => `${escaped(from)} ${escaped(root + to)} none rbind${mode === "ro" ? ",ro" : ""} 0 0`);
  const own = [
    `proc ${escaped(`${root}/proc`)} proc nosuid,nodev,noexec 0 0`,
    `shm ${escaped(`${root}/dev/shm`)} tmpfs size=64m,mode=1777 0 0`,
  ];
  return `${[...lines, ...own].join("\n")}\n`;
}

const escaped = (path: string): string =>
  path.replaceAll("\\", "\\134").replaceAll(" ", "\\040").replaceAll("\t", "\\011").replaceAll("\n", "\\012");

const paths = new Map<string, string>();

// By its full path: the container's PATH is in force where these are looked up.
function program(name: string): string {
  const known = paths.get(name);
  if (known) return known;
  const dirs = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
  const found = dirs.map((dir) => join(dir, name)).find((path) => isExecutable(path)) ?? name;
  paths.set(name, found);
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Removes a folder that a pod has written into, whatever modes it left there. */
export async function removeTree(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true }).catch(() => {
    spawnSync("chmod", ["-R", "u+rwx", dir], { stdio: "ignore" });
    return rm(dir, { recursive: true, force: true });
  });
}
