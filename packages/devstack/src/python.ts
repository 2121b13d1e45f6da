import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Packages from PyPI, in a folder of the user's cache, for PYTHONPATH: installed once, with pip. */
export async function pythonPackages(...requirements: string[]): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "podq");
  const name =
    requirements.length === 1 ? requirements[0]! : createHash("sha256").update(requirements.join(" ")).digest("hex").slice(0, 12);
  const dir = join(cache, `python-${name}`);
  if (existsSync(dir)) return dir;
  await mkdir(cache, { recursive: true });
  const fresh = await mkdtemp(join(cache, "python-"));
  await run("python3", ["-m", "pip", "install", "--quiet", "--target", fresh, ...requirements]);
  await rename(fresh, dir).catch(async () => rm(fresh, { recursive: true })); // another test run was quicker
  return dir;
}
