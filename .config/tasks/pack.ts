// `npm run pack -- DIR`: builds every package that is published, and packs each into DIR as a registry would get it. In the
// workspace all of it runs from source; outside, where Node strips no types, `publishConfig` points to what is built here.
import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { runSteps } from "./steps.ts";

type Manifest = { name: string; private?: boolean; podq?: { pnpm: string } };

const root = join(import.meta.dirname, "../..");
const built = join(root, "node_modules/.cache/dist");
const manifestOf = (dir: string): Manifest => JSON.parse(readFileSync(join(root, dir, "package.json"), "utf8")) as Manifest;
const target = process.argv[2];

if (target === undefined) {
  process.stderr.write("podq: pack where? npm run pack -- DIR\n");
  process.exit(2);
}

rmSync(built, { recursive: true, force: true });
const failed = await runSteps([{ title: "build", argv: ["tsc", "-p", ".config/tsconfig.build.json"] }]);
if (failed !== 0) process.exit(failed);

const published = globSync("{apps,packages}/*", { cwd: root }).filter((dir) => !dir.endsWith(".json") && manifestOf(dir).private !== true);
for (const dir of published) {
  rmSync(join(root, dir, "dist"), { recursive: true, force: true });
  cpSync(join(built, dir, "src"), join(root, dir, "dist"), { recursive: true });
  const beside = globSync("src/**/*.*", { cwd: join(root, dir) }).filter((file) => !/\.(ts|recorded\.json)$/.test(file));
  for (const file of beside) cpSync(join(root, dir, file), join(root, dir, file.replace(/^src/, "dist")));
}

mkdirSync(target, { recursive: true });
const filters = published.map((dir) => `--filter=./${dir}`);
const argv = [
  "--yes",
  "--prefer-offline",
  `pnpm@${manifestOf(".").podq!.pnpm}`,
  ...filters,
  "pack",
  `--pack-destination=${resolve(target)}`,
];
process.exit(spawnSync("npx", argv, { cwd: root, stdio: ["ignore", 2, 2] }).status ?? 1);
