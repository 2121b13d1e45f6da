import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { useTestCluster } from "../testing.ts";
import type { TestCluster } from "../testing.ts";
import { until } from "../until.ts";
import type { EmbeddedCluster } from "./cluster.ts";
import { condition } from "./object.ts";
import type { Condition, KubeObject } from "./object.ts";
import type { FailureName } from "./script.ts";
import { objectsIn, workload } from "./testing.ts";
import type { WorkloadChange } from "./testing.ts";
import { isDeployment, isPod } from "./validate.ts";

let cluster: TestCluster;
let embedded: EmbeddedCluster;
let count = 0;

beforeAll(async () => {
  cluster = await useTestCluster();
  if (!cluster.embedded) throw new Error("these faults are the embedded cluster's: unset PODQ_TEST_CLUSTER");
  embedded = cluster.embedded;
});
afterEach(() => embedded.heal());
afterAll(() => cluster.stop());

const APPLY = ["apply", "--server-side", "--force-conflicts", "--validate=ignore", "-f", "-"];

async function apply(change: WorkloadChange = {}): Promise<{ space: string; stderr: string }> {
  count += 1;
  const space = `faults-${count}`;
  return { space, stderr: (await cluster.kubectl(APPLY, workload(space, cluster.image, change))).stderr };
}

async function get(space: string, what: string): Promise<KubeObject[]> {
  return objectsIn((await cluster.kubectl(["get", what, "-n", space, "-o", "json"])).stdout);
}

function waiting(object: KubeObject | undefined): string | undefined {
  return isPod(object) ? object.status.containerStatuses?.[0]?.state.waiting?.reason : undefined;
}

async function running(space: string): Promise<string> {
  return until(`a pod runs in ${space}`, async () => {
    const pods = (await get(space, "pods")).filter(isPod);
    return pods.find((pod) => condition(pod.status.conditions, "Ready")?.status === "True")?.metadata.name;
  });
}

describe("a failure that is asked for by name", () => {
  it.each<[FailureName, string]>([
    ["image-not-found", "ErrImagePull"],
    ["image-not-found", "ImagePullBackOff"],
    ["image-forbidden", "ErrImagePull"],
    ["registry-unreachable", "ErrImagePull"],
    ["config-missing", "CreateContainerConfigError"],
    ["entrypoint-missing", "RunContainerError"],
    ["entrypoint-missing", "CrashLoopBackOff"],
    ["out-of-memory", "CrashLoopBackOff"],
  ])("%s makes the container wait as %s, and is over when it is undone", async (name, reason) => {
    const undo = embedded.fail(name);
    const { space } = await apply();
    await until(`the container waits as ${reason}`, async () => (waiting((await get(space, "pods"))[0]) === reason ? true : undefined));
    undo();
    expect(await running(space)).toMatch(/^ws-/);
  });

  it.each<[FailureName, string]>([
    ["volume-missing", "FailedMount"],
    ["sandbox-failed", "FailedCreatePodSandBox"],
  ])("%s shows in the event %s alone", async (name, reason) => {
    const undo = embedded.fail(name);
    const { space } = await apply();
    await until(`the event ${reason}`, async () => (await get(space, "events")).find((one) => one.reason === reason));
    expect(waiting((await get(space, "pods"))[0])).toBe("ContainerCreating");
    undo();
    await running(space);
  });

  it.each<FailureName>(["unschedulable", "selector-mismatch"])("%s leaves the pod without a node", async (name) => {
    const undo = embedded.fail(name);
    const { space } = await apply();
    const found = await until<Condition>("the condition", async () => {
      const [pod] = await get(space, "pods");
      return isPod(pod) ? condition(pod.status.conditions, "PodScheduled") : undefined;
    });
    expect(found).toMatchObject({
      status: "False",
      reason: "Unschedulable",
      message: expect.stringMatching(/^0\/1 nodes are available: 1 /),
    });
    undo();
    await running(space);
  });

  it.each<[FailureName, string]>([
    ["quota-exceeded", "exceeded quota: q, requested: pods=1"],
    ["pod-security", 'violates PodSecurity "restricted:latest"'],
    ["limit-range", "maximum memory usage per Container is 50Mi"],
  ])("%s leaves the Deployment without a pod, and says why", async (name, words) => {
    const undo = embedded.fail(name);
    const { space } = await apply();
    for (const what of ["deployments", "replicasets"]) {
      const found = await until<object>(`ReplicaFailure of the ${what}`, async () => {
        const [one] = await get(space, what);
        const list: unknown = one?.status?.conditions;
        return Array.isArray(list) ? list.find(({ type }) => type === "ReplicaFailure") : undefined;
      });
      expect(found).toMatchObject({ status: "True", reason: "FailedCreate", message: expect.stringContaining(words) });
    }
    undo();
    await running(space);
  });

  it.each<[FailureName, string]>([
    ["webhook-denied", 'Error from server (Forbidden): admission webhook "policy.example.com" denied the request: not allowed here'],
    ["webhook-unreachable", 'Error from server (InternalError): Internal error occurred: failed calling webhook "policy.example.com"'],
    ["node-ports-full", "Error from server (InternalError): Internal error occurred: failed to allocate a nodePort: range is full"],
    ["unauthorized", "error: You must be logged in to the server (Unauthorized)"],
    ["api-overloaded", "Timeout: request did not complete within requested timeout"],
  ])("%s is kubectl's error at apply", async (name, words) => {
    embedded.fail(name);
    expect((await apply()).stderr).toContain(words);
  });

  it("holds within its scope, and as often as was said", async () => {
    embedded.fail("quota-exceeded", { namespace: /^elsewhere/ });
    embedded.fail("image-not-found", { image: "localhost/other:1" });
    const { space } = await apply();
    await running(space);
    embedded.fail("webhook-denied", { times: 1 });
    expect((await apply()).stderr).toContain("denied");
    expect((await apply()).stderr).toBe("");
  });
});

describe("what fails by itself", () => {
  it.each<[string, WorkloadChange, string, RegExp]>([
    [
      "an unknown image",
      { container: { image: "localhost/nope:1" } },
      "ErrImagePull",
      /failed to resolve reference "localhost\/nope:1": localhost\/nope:1: not found$/,
    ],
    ["no image name", { container: { image: "Bad Image::" } }, "InvalidImageName", /couldn't parse image name "Bad Image::"/],
    [
      "an image never to be pulled",
      { container: { image: "localhost/nope:1", imagePullPolicy: "Never" } },
      "ErrImageNeverPull",
      /pull policy of Never$/,
    ],
    [
      "a missing secret",
      { container: { env: [{ name: "S", valueFrom: { secretKeyRef: { name: "x", key: "y" } } }] } },
      "CreateContainerConfigError",
      /^secret "x" not found$/,
    ],
    [
      "an image of root's",
      { pod: { securityContext: { runAsNonRoot: true } } },
      "CreateContainerConfigError",
      /^container has runAsNonRoot and image will run as root/,
    ],
    [
      "no such program",
      { container: { command: ["/nope"] } },
      "RunContainerError",
      /exec: "\/nope": stat \/nope: no such file or directory: unknown$/,
    ],
    [
      "an end again and again",
      { container: { command: ["sh", "-c", "exit 3"] } },
      "CrashLoopBackOff",
      /^back-off 10s restarting failed container=workspace/,
    ],
  ])("%s is named as a real node names it", async (_what, change, reason, words) => {
    const { space } = await apply(change);
    const message = await until(`the container waits as ${reason}`, async () => {
      const [pod] = await get(space, "pods");
      const state = isPod(pod) ? pod.status.containerStatuses?.[0]?.state.waiting : undefined;
      return state?.reason === reason ? state.message : undefined;
    });
    expect(message).toMatch(words);
  });

  it("is overdue after its deadline", async () => {
    const { space } = await apply({
      deployment: { progressDeadlineSeconds: 1, minReadySeconds: 0 },
      container: { image: "localhost/nope:1" },
    });
    const found = await until("the deadline is exceeded", async () => {
      const [one] = await get(space, "deployments");
      const progress = isDeployment(one) ? condition(one.status.conditions, "Progressing") : undefined;
      return progress?.status === "False" ? progress : undefined;
    });
    expect(found).toMatchObject({
      reason: "ProgressDeadlineExceeded",
      message: expect.stringMatching(/^ReplicaSet "ws-\w+" has timed out progressing\.$/),
    });
  });
});

describe("a running pod", () => {
  it("that is evicted stays as Failed beside its successor", async () => {
    const { space } = await apply();
    const name = await running(space);
    embedded.evict({ namespace: space });
    const next = await running(space);
    expect(next).not.toBe(name);
    const old = (await get(space, "pods")).find(({ metadata }) => metadata.name === name);
    expect(old?.status).toMatchObject({ phase: "Failed", reason: "Evicted", message: expect.stringContaining("exceeds the limit") });
  });

  it("is no longer ready while its node is lost, and its process goes on", async () => {
    const { space } = await apply();
    const name = await running(space);
    embedded.setNodeReady(false);
    const [lost] = await get(space, "pods");
    expect(isPod(lost) && condition(lost.status.conditions, "Ready")).toMatchObject({ status: "False", reason: "NodeNotReady" });
    embedded.setNodeReady(true);
    expect(await running(space)).toBe(name);
  });

  it.each([
    ["cut", 1, "websocket: close 1006 (abnormal closure): unexpected EOF"],
    ["silent", 0, ""],
    ["success", 0, ""],
  ] as const)("goes on when the connection of its exec ends early (%s), of which kubectl makes %i", async (end, code, words) => {
    const { space } = await apply();
    const name = await running(space);
    const exec = (script: string): ReturnType<TestCluster["kubectl"]> =>
      cluster.kubectl(["exec", "-n", space, name, "--", "sh", "-c", script]);
    embedded.script({ at: "exec", end, afterBytes: 3 }, { times: 1 });
    const broken = await exec("echo begun; while [ ! -e go ]; do sleep 0.05; done; echo done >end");
    expect(broken.code).toBe(code);
    expect(broken.stdout).toBe("begun\n");
    expect(broken.stderr).toContain(words);
    await exec("touch go");
    expect(await until("it has gone on to its end", async () => (await exec("cat end")).stdout || undefined)).toBe("done\n");
  });

  it("lives through an API server that is down", async () => {
    const { space } = await apply();
    const name = await running(space);
    await embedded.pause();
    expect((await cluster.kubectl(["get", "pods"])).stderr).toMatch(/connection to the server .* was refused/);
    await embedded.resume();
    expect(await running(space)).toBe(name);
  });
});
