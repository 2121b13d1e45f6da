import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { containerName } from "./manifest.ts";
import { clusterFixture, eventually } from "./testing.ts";
import type { ClusterFixture } from "./testing.ts";

let on: ClusterFixture;
const control = { timeoutMs: 60_000 };
const soon = { periodSeconds: 1, failureThreshold: 1 };
const waits = 'trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done';

beforeAll(async () => (on = await clusterFixture()));
afterAll(async () => on.stop());

describe("a pod with probes", () => {
  it("runs only when it is ready", async () => {
    const command = ["sh", "-c", `sleep 5; touch /workspace/up; ${waits}`];
    const identity = on.identity("ready");
    const spec = on.spec({ command, probes: { readiness: { exec: ["test", "-e", "/workspace/up"], ...soon } } });
    const made = await on.pods.create(identity, spec, control);
    expect(made).toMatchObject({ status: "running", differs: [], restarts: { count: 0, last: null } });
    expect(Date.now() - made.startedAt!.getTime()).toBeGreaterThan(4_000);
    expect((await on.pods.create(identity, on.spec({ command }), control)).differs).toEqual(["probes"]);
  });

  it("that is never ready fails in the words of its probe", async () => {
    const probes = { readiness: { http: { port: 8080, path: "/healthz" }, ...soon } };
    await expect(on.pods.create(on.identity("never"), on.spec({ probes }), { timeoutMs: 20_000 })).rejects.toMatchObject({
      code: "unhealthy",
      message: expect.stringMatching(/was not ready in time: Readiness probe failed: Get "http:.*connection refused/) as string,
      observation: { status: expect.stringMatching(/created|error/) as string },
    });
  });

  it("that never starts fails in the words of its probe", async () => {
    const probes = { startup: { exec: ["sh", "-c", "echo not yet; exit 1"], ...soon } };
    await expect(on.pods.create(on.identity("late"), on.spec({ probes }), control)).rejects.toMatchObject({
      code: "unhealthy",
      message: expect.stringContaining("Startup probe failed: not yet") as string,
      observation: { restarts: { count: expect.any(Number) as number, last: { reason: "Unhealthy" } } },
    });
  });

  it("whose liveness fails is started anew, and an observation says why", async () => {
    const identity = on.identity("anew");
    const command = ["sh", "-c", `touch /workspace/up; ${waits}`];
    const probes = { liveness: { exec: ["ls", "/workspace/up"], ...soon, initialDelaySeconds: 1 } };
    const made = await on.pods.create(identity, on.spec({ command, probes }), control);
    await on.admin(["exec", `--namespace=${identity.namespace}`, made.podName!, "-c", containerName, "--", "rm", "/workspace/up"]);
    const seen = await eventually("a restart", async () => {
      const now = await on.pods.observe(made, control);
      return (now.restarts?.count ?? 0) > 0 && now.status === "running" ? now : undefined;
    });
    expect(seen).toMatchObject({
      podUid: made.podUid,
      restarts: {
        count: 1,
        last: {
          reason: "Unhealthy",
          exitCode: 0,
          message: expect.stringMatching(/^Liveness probe failed: ls: .*up/) as string,
          at: expect.any(Date) as Date,
        },
      },
    });
    expect(seen.containerId).not.toBe(made.containerId);
  });
});
