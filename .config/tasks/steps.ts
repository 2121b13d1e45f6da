import { spawn } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** What is formatted: code. */
export const sources = [".config/**/*.{js,ts}", "apps/**/*.{ts,js}", "packages/**/*.ts"] as const;

/** One step of a gate: a title and the argv of a tool of the workspace. */
export type Step = { title: string; argv: readonly [string, ...string[]] };

/** Runs the steps one after the other, a line each; stops at the first that fails and returns its exit code, else 0. */
export async function runSteps(steps: readonly Step[]): Promise<number> {
  for (const { title, argv } of steps) {
    const started = performance.now();
    const code = await runTool(argv);
    process.stderr.write(
      `podq: ${title} ${code === 0 ? "ok" : `failed (exit code ${code})`}, ${((performance.now() - started) / 1000).toFixed(1)} s\n`,
    );
    if (code !== 0) return code;
  }
  return 0;
}

function runTool([tool, ...args]: readonly [string, ...string[]]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(root, "node_modules/.bin", tool), args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}
