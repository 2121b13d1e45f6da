import { afterAll, beforeAll, expect, it } from "vitest";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { kubectlBinary } from "../binaries.ts";
import { until } from "../until.ts";
import { startCluster } from "./cluster.ts";
import type { EmbeddedCluster } from "./cluster.ts";
import { workload } from "./testing.ts";

let cluster: EmbeddedCluster;

beforeAll(async () => {
  cluster = await startCluster({ isolate: false });
});
afterAll(() => cluster.stop());

async function kubectl(args: readonly string[], stdin = ""): Promise<{ failed: boolean; stdout: string; stderr: string }> {
  const binary = await kubectlBinary();
  return new Promise((resolve) => {
    const child = execFile(binary, ["--kubeconfig", cluster.kubeconfig, ...args], (error, stdout, stderr) =>
      resolve({ failed: error !== null, stdout, stderr }),
    );
    child.stdin?.end(stdin);
  });
}

// A zombie is dead: whose child it is may be somebody who does not look.
function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}

it("where the kernel grants no namespaces a pod is a process in a folder, and goes without a trace", async () => {
  await kubectl(["apply", "--server-side", "--validate=ignore", "-f", "-"], workload("plain", "localhost/workspace:1"));
  const exec = (...argv: string[]): ReturnType<typeof kubectl> => kubectl(["exec", "-n", "plain", "deployment/ws", "--", ...argv]);
  const ran = await until("a command runs in it", async () => {
    const result = await exec("sh", "-c", "echo kept >f; pwd; sleep 1000 >/dev/null 2>&1 & echo $!");
    return result.failed ? undefined : result;
  });
  const [folder = "", pid = ""] = ran.stdout.trim().split("\n");
  expect(folder).toMatch(/\/pods\/[0-9a-f-]+\/volumes\/workspace$/);
  expect((await exec("cat", "/workspace/f")).stdout).toBe("kept\n");
  expect((await exec("nope")).stderr).toContain('exec: "nope": executable file not found in $PATH');
  await kubectl(["delete", "namespace", "plain"]);
  await until("what its command left behind is gone", async () => (isAlive(Number(pid)) ? undefined : true));
  expect(existsSync(folder)).toBe(false);
});
