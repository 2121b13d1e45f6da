import { expect, it } from "vitest";
import { createPods } from "./pods.ts";
import { podNames } from "./names.ts";
import { scriptedHost } from "./scripted.ts";

const identity = podNames({ installation: "i", kind: "project", id: "p", name: "default", generation: 1 });
const pod = (uid: string, status: object): object => ({ kind: "Pod", metadata: { name: uid, uid }, status });
const event = (reason: string, uid: string): object => ({ reason, message: "full", involvedObject: { uid } });

it("why a pod has ended is asked of the events where its status does not say it, and only there", async () => {
  const objects = [
    pod("a", { phase: "Succeeded" }),
    pod("b", { phase: "Failed" }),
    pod("c", { phase: "Failed", reason: "Evicted", message: "m" }),
  ];
  const host = scriptedHost((argv) => ({
    stdout: Buffer.from(JSON.stringify({ items: argv.includes("events") ? [event("Evicted", "a"), event("Failed", "b")] : objects })),
  }));
  const pods = createPods({ ...host, installation: "i" });
  const { ended } = await pods.sight(identity, { timeoutMs: 1_000 });
  expect(Object.fromEntries([...ended].map(([uid, { code, message }]) => [uid, `${code} ${message}`]))).toEqual({
    a: "evicted Evicted: full",
    b: "start-failed The pod ended, and its status does not say why.",
    c: "evicted Evicted: m",
  });
  expect(host.runs).toHaveLength(2);
  objects.splice(0, 2);
  await pods.sight(identity, { timeoutMs: 1_000 });
  expect(host.runs).toHaveLength(3);
});
