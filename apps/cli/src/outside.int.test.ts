// What is published, as a registry would have it: packed, installed by npm in an empty folder, checked and run there.
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, expect, it } from "vitest";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../../..");
const published = [
  "podq",
  ...["api", "client", "devstack", "jobs", "kube", "queue", "ssh", "store", "worker"].map((name) => `@podq/${name}`),
];
const machinesNode = process.env.npm_node_execpath ?? process.execPath; // older than the workspace's own, as many a caller's is

let dir: string;
let tarballs: string[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "podq-outside-"));
  await run(process.execPath, [".config/tasks/pack.ts", dir], { cwd: root });
  tarballs = (await readdir(dir)).filter((file) => file.endsWith(".tgz"));
  const { devDependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { devDependencies: Record<string, string> };
  await writeFile(join(dir, "package.json"), JSON.stringify({ name: "outside", private: true, type: "module" }));
  const options = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const types = `@types/node@${devDependencies["@types/node"]}`;
  await run("npm", ["install", ...options, types, ...tarballs.map((file) => `./${file}`)], { cwd: dir });
}, 180_000);

afterAll(async () => rm(dir, { recursive: true, force: true }));

it.each(published)("%s is packed as publint and are-the-types-wrong want it", { timeout: 60_000 }, async (name) => {
  const file = tarballs.find((tarball) => tarball.startsWith(`${name.replace("@", "").replace("/", "-")}-0`));
  const data = new Uint8Array(await readFile(join(dir, file!)));
  const { messages, pkg } = await publint({ pack: { tarball: data.buffer }, strict: true });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  if (name === "podq") return; // a command: nothing to import
  const { types, ...checked } = await checkPackage(createPackageFromTarballData(data));
  expect(types).toMatchObject({ kind: "included" });
  const others = ["node10", "node16-cjs"]; // ways of import that know no ES modules
  const esm =
    "problems" in checked ? checked.problems.filter((one) => !("resolutionKind" in one && others.includes(one.resolutionKind))) : null;
  expect(esm).toEqual([]);
});

it(
  "resolves in a strict program of another's, with types, and its SDK example runs against its own stack",
  { timeout: 180_000 },
  async () => {
    await copyFile(join(root, "packages/client/examples/quickstart.ts"), join(dir, "quickstart.ts"));
    const libraries = published.filter((name) => name !== "podq");
    await writeFile(join(dir, "all.ts"), libraries.map((name, n) => `export * as library${n} from "${name}";\n`).join(""));
    const compilerOptions = { target: "es2022", module: "nodenext", strict: true, skipLibCheck: false, types: ["node"], outDir: "out" };
    await writeFile(join(dir, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
    const compiled = await run(join(root, "node_modules/.bin/tsc"), ["-p", dir]).catch((error: { stdout: string }) => error);
    expect(compiled.stdout).toBe("");

    const podq = (args: string[], env: NodeJS.ProcessEnv): ChildProcess =>
      spawn(process.execPath, ["node_modules/podq/dist/main.js", ...args], { cwd: dir, stdio: "pipe", env });
    const dev = podq(["dev"], process.env);
    let api: ChildProcess | undefined;
    try {
      const { out } = await ready(dev);
      const settings = Object.fromEntries([...out.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name!, value!]));
      const env = { ...process.env, ...settings, PODQ_API_PORT: "0" };
      const { stdout } = await run(machinesNode, ["out/quickstart.js"], { cwd: dir, env });
      expect(stdout.split("\n").map((line) => line.replace(/^\S+ is/, "POD is"))).toEqual([
        "POD is running",
        "line 1",
        "line 2",
        "line 3",
        "exit code 3",
        "POD is gone",
        "",
      ]);
      api = podq(["api"], env);
      const url = /"url":"([^"]+)"/.exec((await ready(api)).said)![1]!;
      for (const path of ["/openapi.json", "/docs", "/ui", "/ui/app.js"]) expect((await fetch(url + path)).status).toBe(200);
    } finally {
      for (const child of [api, dev]) {
        child?.kill("SIGTERM");
        if (child?.exitCode === null) await once(child, "exit");
      }
    }
  },
);

// What a process has written by the time it says on stderr that it is ready.
async function ready(child: ChildProcess): Promise<{ out: string; said: string }> {
  let [out, said] = ["", ""];
  child.stdout!.on("data", (data: Buffer) => (out += data.toString()));
  await new Promise<void>((resolve, reject) => {
    child.stderr!.on("data", (data: Buffer) => {
      said += data.toString();
      if (/\bready\b/.test(said)) resolve();
    });
    child.once("exit", () => reject(new Error(said)));
  });
  return { out, said };
}
