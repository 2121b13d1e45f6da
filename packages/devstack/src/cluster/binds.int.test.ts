import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { useTestCluster } from "../testing.ts";

it("every pod sees the folders that the cluster was given, and can leave marks there", async () => {
  const dir = await mkdtemp(join(tmpdir(), "podq-binds-"));
  const cluster = await useTestCluster({ binds: [{ from: dir, to: "/marks" }] });
  try {
    const file = cluster.embedded!.isolated ? "/marks/log" : join(dir, "log");
    const pod = (name: string): object => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default" },
      spec: { containers: [{ name: "c", image: cluster.image, command: ["sh", "-c", `echo ${name} >>${file}; sleep 100`] }] },
    });
    for (const name of ["a", "b"]) {
      const { code, stderr } = await cluster.kubectl(["create", "-f", "-"], JSON.stringify(pod(name)));
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    }
    const marks = async (): Promise<string[]> => (await readFile(join(dir, "log"), "utf8").catch(() => "")).split("\n").toSorted();
    await expect.poll(marks, { timeout: 20_000 }).toEqual(["", "a", "b"]);
  } finally {
    await cluster.stop();
    await rm(dir, { recursive: true, force: true });
  }
});
