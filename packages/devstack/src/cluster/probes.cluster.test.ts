import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useTestCluster } from "../testing.ts";
import type { TestCluster } from "../testing.ts";
import { until } from "../until.ts";
import type { Container, KubeObject, Pod } from "./object.ts";
import { objectsIn, workload } from "./testing.ts";
import { isPod } from "./validate.ts";

let cluster: TestCluster;
const prefix = `dv-${randomBytes(3).toString("hex")}`;
const used: string[] = [];

beforeAll(async () => (cluster = await useTestCluster()));
afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", "--wait=false", "--ignore-not-found", ...used]);
  await cluster.stop();
});

const soon = { periodSeconds: 1, failureThreshold: 2 };

async function apply(
  name: string,
  container: Partial<Container>,
  labels: Record<string, string> = {},
): Promise<{ space: string; stderr: string }> {
  const space = `${prefix}-${name}`;
  used.push(space);
  const args = ["apply", "--server-side", "--force-conflicts", "--validate=ignore", "-f", "-"];
  return { space, ...(await cluster.kubectl(args, workload(space, cluster.image, { container, namespaceLabels: labels }))) };
}

async function get(space: string, what: string): Promise<KubeObject[]> {
  return objectsIn((await cluster.kubectl(["get", what, "-n", space, "-o", "json"])).stdout);
}

async function podThat(space: string, what: string, is: (pod: Pod) => boolean): Promise<Pod> {
  return until(what, async () => (await get(space, "pods")).filter(isPod).find(is), { timeoutMs: 60_000, everyMs: 200 });
}

async function eventThat(space: string, reason: string, words: RegExp): Promise<KubeObject> {
  const ask = async (): Promise<KubeObject | undefined> =>
    (await get(space, "events")).find((event) => event.reason === reason && words.test(String(event.message)));
  return until(`an event ${reason}`, ask, { timeoutMs: 60_000, everyMs: 200 });
}

const containerOf = (pod: Pod): NonNullable<Pod["status"]["containerStatuses"]>[number] | undefined => pod.status.containerStatuses?.[0];
const isReady = (pod: Pod): boolean => containerOf(pod)?.ready === true;
const exec = async (space: string, pod: Pod, script: string): Promise<unknown> =>
  cluster.kubectl(["exec", "-n", space, pod.metadata.name, "--", "sh", "-c", script]);

describe("a container", () => {
  it("is ready when its HTTP probe says so, and what keeps it from that stands in an event", async () => {
    const { space } = await apply("http", { readinessProbe: { httpGet: { port: 8080, path: "/index.html" }, ...soon } });
    const event = await eventThat(
      space,
      "Unhealthy",
      /^Readiness probe failed: Get "http:.*\/index\.html": dial tcp .*:8080: connect: connection refused$/,
    );
    expect(event).toMatchObject({ type: "Warning", involvedObject: { kind: "Pod", fieldPath: "spec.containers{workspace}" } });
    const pod = await podThat(space, "it runs", (one) => containerOf(one)?.state.running !== undefined);
    expect(containerOf(pod)).toMatchObject({ ready: false, started: true, restartCount: 0 });
    expect((await get(space, "deployments"))[0]?.status).not.toHaveProperty("readyReplicas");
    await exec(space, pod, "httpd -p 8080 -h /workspace");
    await eventThat(space, "Unhealthy", /^Readiness probe failed: HTTP probe failed with statuscode: 404$/);
    await exec(space, pod, "echo up >/workspace/index.html");
    await podThat(space, "it is ready", isReady);
  });

  it("is started anew when its liveness probe fails, which an event tells", async () => {
    const command = ["sh", "-c", "echo alive >/workspace/alive; trap 'exit 3' TERM; while :; do sleep 1000 & wait $!; done"];
    const probe = { exec: { command: ["sh", "-c", 'cat "$(WHERE)/alive"'] }, ...soon };
    const { space } = await apply("exec", { command, env: [{ name: "WHERE", value: "/workspace" }], livenessProbe: probe });
    const before = await podThat(space, "it is ready", isReady);
    await exec(space, before, "rm /workspace/alive");
    await eventThat(space, "Unhealthy", /^Liveness probe failed: cat: .*No such file or directory/);
    await eventThat(space, "Killing", /^Container workspace failed liveness probe, will be restarted$/);
    const after = await podThat(space, "it is ready again", (pod) => isReady(pod) && containerOf(pod)?.restartCount === 1);
    expect(after.metadata.uid).toBe(before.metadata.uid);
    expect(containerOf(after)?.lastState).toMatchObject({ terminated: { exitCode: 3, reason: "Error" } });
  });

  it("is given the time of its startup probe, and then started anew", async () => {
    const { space } = await apply("tcp", {
      startupProbe: { tcpSocket: { port: 9090 }, ...soon },
      livenessProbe: { exec: { command: ["false"] }, ...soon },
    });
    await eventThat(space, "Unhealthy", /^Startup probe failed: dial tcp .*:9090: connect: connection refused$/);
    await eventThat(space, "Killing", /^Container workspace failed startup probe, will be restarted$/);
    const pod = await podThat(space, "it is started anew", (one) => (containerOf(one)?.restartCount ?? 0) > 0);
    expect(containerOf(pod)).toMatchObject({ ready: false, started: false });
    expect((await get(space, "events")).filter(({ message }) => String(message).startsWith("Liveness"))).toEqual([]);
  });
});

describe("a probe is refused", () => {
  it.each([
    [
      "that asks in two ways",
      { tcpSocket: { port: 1 }, exec: { command: ["true"] } },
      /livenessProbe\.tcpSocket.*may not specify more than 1 handler type/s,
    ],
    ["that asks nothing", { periodSeconds: 1 }, /livenessProbe: Required value: must specify a handler type/],
    [
      "that has to pass twice to be alive",
      { tcpSocket: { port: 1 }, successThreshold: 2 },
      /livenessProbe\.successThreshold: Invalid value: 2: must be 1/,
    ],
  ])("%s", async (what, livenessProbe, words) => {
    expect((await apply(`bad-${what.length}`, { livenessProbe })).stderr).toMatch(words);
  });

  it("of another host, at the restricted Pod Security level", async () => {
    const readinessProbe = { httpGet: { port: 80, host: "192.0.2.1" } };
    const { stderr } = await apply("host", { readinessProbe }, { "pod-security.kubernetes.io/enforce": "restricted" });
    expect(stderr).toMatch(/would violate PodSecurity "restricted:latest": .*probe or lifecycle host \(container "workspace"/);
  });
});
