// Starts a task (`npm test`, `npm run demo`) on whatever Node the machine has: installs with the pinned pnpm, then hands over
// to the pinned Node. Plain JavaScript with no dependency, because nothing is installed yet when it runs.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [task, ...rest] = process.argv.slice(2);
const { pnpm } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).podq;

function fail(message) {
  process.stderr.write(`podq: ${message}\n`);
  process.exit(1);
}

function run(command, args, options) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: "inherit", ...options });
  if (error) fail(`could not start ${command}: ${error.message}`);
  if (signal) process.kill(process.pid, signal);
  return status ?? 1;
}

process.stderr.write(`podq: installing what the workspace needs (pnpm ${pnpm})\n`);
const install = [
  "--yes",
  "--prefer-offline",
  `pnpm@${pnpm}`,
  "install",
  "--frozen-lockfile",
  "--prefer-offline",
  "--reporter=append-only",
  "--silent",
];
if (run("npx", install, { stdio: ["ignore", 2, 2], env: { ...process.env, npm_config_loglevel: "error" } }) !== 0)
  fail(`the install failed; \`npx pnpm@${pnpm} install --frozen-lockfile\` shows why`);

// Tasks start many processes, each of which reads the same sources.
process.env.NODE_COMPILE_CACHE ??= join(root, "node_modules/.cache/compiled");
const pinned = join(root, "node_modules/.bin/node");
if (!existsSync(pinned) && Number(process.versions.node.split(".")[0]) < 24)
  fail(`Node 24 or newer is needed on ${process.platform} ${process.arch}; this is ${process.version}`);
process.exit(run(existsSync(pinned) ? pinned : process.execPath, [`.config/tasks/${task}.ts`, ...rest]));
