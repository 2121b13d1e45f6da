import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { listens } from "./tcp.ts";
import { until } from "./until.ts";

const CHILD = `
const { startStack } = await import(${JSON.stringify(join(import.meta.dirname, "index.ts"))});
const { workload } = await import(${JSON.stringify(join(import.meta.dirname, "cluster/testing.ts"))});
const stack = await startStack();
for (const line of workload("left", "localhost/workspace:1").split("\\n")) {
  const { apiVersion, kind, metadata: { namespace } } = JSON.parse(line);
  const group = apiVersion === "v1" ? "/api/v1" : "/apis/" + apiVersion;
  const path = group + (namespace ? "/namespaces/" + namespace : "") + "/" + kind.toLowerCase() + "s";
  await fetch(stack.cluster.url + path, { method: "POST", body: line, headers: { "content-type": "application/json" } });
}
const ports = [new URL(stack.redisUrl).port, new URL(stack.mongodbUri).port, stack.cluster.url.split(":")[2], stack.ssh.port].map(Number);
console.log(JSON.stringify({ ports, kubeconfig: stack.cluster.kubeconfig }));
process.once("SIGTERM", async () => { await stack.stop(); process.exit(0); });
setInterval(() => {}, 1000);`;

type Started = { ports: number[]; kubeconfig: string };

// Whatever was started for the cluster has a path in its folder among its arguments, or is a child of one that has.
function processesOf(dir: string): number[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, "utf8").includes(dir) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

describe("a stack", () => {
  it.each(["SIGTERM", "SIGKILL"] as const)(
    "leaves no process, port or file behind when its owner ends by %s",
    { timeout: 60_000 },
    async (signal) => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", CHILD], { stdio: ["ignore", "pipe", "inherit"] });
      const exited = new Promise((resolve) => child.once("exit", resolve));
      const line = await new Promise<string>((resolve) => createInterface(child.stdout).once("line", resolve));
      const { ports, kubeconfig }: Started = JSON.parse(line);
      const dir = dirname(kubeconfig);
      const isRunning = async (): Promise<true | undefined> => {
        const pods = readdirSync(join(dir, "pods"));
        return pods.some((pod) => existsSync(join(dir, "pods", pod, "run-1", "pid"))) || undefined;
      };
      await until("its pod runs", isRunning);
      expect(await Promise.all(ports.map(listens))).toEqual([true, true, true, true]);
      expect(processesOf(dir)).not.toEqual([]);
      child.kill(signal);
      await exited;
      await until("everything is gone", async () => (existsSync(dir) || processesOf(dir).length > 0 ? undefined : true));
      await until("nothing listens", async () => ((await Promise.all(ports.map(listens))).includes(true) ? undefined : true));
      expect(existsSync(dir)).toBe(false);
    },
  );
});
