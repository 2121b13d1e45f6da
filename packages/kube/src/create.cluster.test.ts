import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { containerName } from "./manifest.ts";
import { annotationsOf, labelsOf } from "./names.ts";
import type { PodIdentity } from "./names.ts";
import type { Namespace, Pod } from "./objects.ts";
import { createPods } from "./pods.ts";
import { clusterFixture, eventually } from "./testing.ts";
import type { ClusterFixture } from "./testing.ts";

let on: ClusterFixture;
const control = { timeoutMs: 60_000 };

beforeAll(async () => (on = await clusterFixture()));
afterAll(async () => {
  // Every path gave back the channels that it held.
  await eventually("all channels are given back", async () => (on.pool.stats().channels.busy === 0 ? true : undefined));
  await on.stop();
});

const inPod = async (identity: PodIdentity, script: string): Promise<string> => {
  const { podName } = await on.pods.observe(identity, control);
  return on.admin(["exec", `--namespace=${identity.namespace}`, podName!, "-c", containerName, "--", "sh", "-c", script]);
};

const podsOf = async ({ namespace }: PodIdentity): Promise<Pod[]> =>
  JSON.parse(await on.admin(["get", "pods", `--namespace=${namespace}`, "-o", "json"])).items;

const livePods = async (identity: PodIdentity): Promise<Pod[]> =>
  (await podsOf(identity)).filter(({ metadata }) => metadata.deletionTimestamp === undefined);

describe("create", () => {
  it("makes what is missing, and says where it is", async () => {
    const identity = on.identity("missing");
    const made = await on.pods.create(identity, on.spec({ labels: { team: "a" } }), control);
    expect(made).toMatchObject({
      status: "running",
      namespace: identity.namespace,
      deployment: identity.deployment,
      image: on.cluster.image,
      resources: on.spec().resources,
      differs: [],
      service: { nodePort: expect.any(Number), ports: [{ name: "http", port: 8080, nodePort: expect.any(Number) }] },
      nodeAddress: expect.any(String),
      startedAt: expect.any(Date),
    });
    const [pod] = await livePods(identity);
    expect(made).toMatchObject({
      podName: pod!.metadata.name,
      podUid: pod!.metadata.uid,
      containerId: pod!.status!.containerStatuses![0]!.containerID,
    });
    const namespace: Namespace = JSON.parse(await on.admin(["get", "namespace", identity.namespace, "-o", "json"]));
    expect(made.namespaceUid).toBe(namespace.metadata.uid);
    expect(namespace.metadata).toMatchObject({
      labels: { ...labelsOf(identity), "pod-security.kubernetes.io/enforce": "restricted" },
      annotations: annotationsOf(identity),
    });
    expect(await on.pods.observe(made, control)).toEqual(made);
  });

  it("gives the command its environment as it was written, /workspace to write to, and a place for the journal", async () => {
    const identity = on.identity("inside");
    const env = { PLAIN: "x", TRICK: "$(PLAIN) $$PLAIN ${PLAIN} '\"\n`id`", LAST: "$$" };
    await on.pods.create(identity, on.spec({ env }), control);
    expect(await inPod(identity, 'printf "%s|%s" "$TRICK" "$LAST"')).toBe(`${env.TRICK}|${env.LAST}`);
    expect(await inPod(identity, "pwd; touch /workspace/a /podq/b && echo written")).toBe("/workspace\nwritten\n");
  });

  it("returns what runs as it is, and names what was asked otherwise", async () => {
    const identity = on.identity("running");
    const first = await on.pods.create(identity, on.spec(), control);
    const same = on.spec({ resources: { memory: "33554432", cpu: "0.05", memoryRequests: "10Mi", cpuRequests: "5m" } });
    expect(await on.pods.create(identity, same, control)).toEqual(first);
    const other = on.spec({
      image: on.cluster.image2,
      env: { A: "1" },
      user: 1001,
      storage: "1Gi",
      command: "image",
      labels: { team: "a" },
    });
    const again = await on.pods.create(identity, other, control);
    expect(again).toEqual({ ...first, differs: ["image", "env", "command", "user", "labels", "storage"] });
  });

  it("starts what was stopped", async () => {
    const identity = on.identity("stopped");
    const first = await on.pods.create(identity, on.spec(), control);
    await on.admin(["scale", "deployment", identity.deployment, `--namespace=${identity.namespace}`, "--replicas=0"]);
    expect(await on.pods.observe(first, control)).toMatchObject({ status: "stopped" });
    const again = await on.pods.create(identity, on.spec(), control);
    expect(again).toMatchObject({ status: "running", deploymentUid: first.deploymentUid, service: first.service });
    expect(again.podUid).not.toBe(first.podUid);
  });

  it("repairs what failed, with what is asked now", async () => {
    const identity = on.identity("repaired");
    const nope = on.spec({ image: "localhost/nope:1" });
    await expect(on.pods.create(identity, nope, control)).rejects.toMatchObject({ code: "image-not-found" });
    const repaired = await on.pods.create(identity, on.spec(), control);
    expect(repaired).toMatchObject({ status: "running", image: on.cluster.image, differs: [] });
  });

  it("fails again, at once, when nothing was repaired", async () => {
    const identity = on.identity("not-repaired");
    const nope = on.spec({ image: "localhost/nope:1" });
    for (let round = 0; round < 2; round++)
      await expect(on.pods.create(identity, nope, { timeoutMs: 20_000 })).rejects.toMatchObject({ code: "image-not-found" });
  });

  it("finishes what a cancelled create began", async () => {
    const identity = on.identity("cancelled");
    const cancel = new AbortController();
    const creating = on.pods.create(identity, on.spec(), { ...control, signal: cancel.signal });
    creating.catch(() => undefined);
    await eventually("a pod", async () => (await podsOf(identity))[0]);
    cancel.abort();
    await expect(creating).rejects.toMatchObject({ code: "cancelled", observation: { namespace: identity.namespace } });
    const [begun] = await podsOf(identity);
    expect(await on.pods.create(identity, on.spec(), control)).toMatchObject({ status: "running", podUid: begun!.metadata.uid });
  });

  it("ends in one pod when two do it at once, as a worker and its successor may", async () => {
    const identity = on.identity("twice");
    const made = await Promise.all([1, 2].map(() => on.pods.create(identity, on.spec(), control)));
    expect(made.map(({ podUid }) => podUid)).toEqual([made[0]!.podUid, made[0]!.podUid]);
    expect(await livePods(identity)).toHaveLength(1);
  });

  it("adopts what is ours but was never recorded", async () => {
    const identity = on.identity("adopted", 3);
    const first = await on.pods.create(identity, on.spec(), control);
    const found = await on.pods.find({ kind: "project", id: "adopted", name: "default" }, control);
    expect(found).toEqual({ highest: 3, current: { ...identity, namespaceUid: first.namespaceUid } });
    expect(await on.pods.create(found.current!, on.spec(), control)).toEqual(first);
  });

  it("completes what was half made", async () => {
    const identity = on.identity("half");
    const { labels, annotations } = { labels: labelsOf(identity), annotations: annotationsOf(identity) };
    await putNamespace(identity.namespace, { labels, annotations });
    expect(await on.pods.find({ kind: "project", id: "half", name: "default" }, control)).toMatchObject({ highest: 1 });
    expect(await on.pods.create(identity, on.spec(), control)).toMatchObject({ status: "running" });
  });

  it.each([
    ["a namespace without labels", () => ({})],
    [
      "one with our labels, but another owner's id",
      (identity: PodIdentity) => ({ labels: labelsOf(identity), annotations: { ...annotationsOf(identity), "podq.dev/id": "x" } }),
    ],
  ])("leaves alone what stands under its name and is not its own: %s", async (what, metadataOf) => {
    const identity = on.identity(what.replaceAll(/\W+/g, "-"));
    await putNamespace(identity.namespace, metadataOf(identity));
    try {
      await expect(on.pods.create(identity, on.spec(), control)).rejects.toMatchObject({ code: "conflict" });
      expect(await on.admin(["get", "deployments,services", `--namespace=${identity.namespace}`, "-o", "name"])).toBe("");
      expect(await on.pods.find({ kind: "project", id: identity.id, name: "default" }, control)).toEqual({ highest: 0 });
    } finally {
      await on.admin(["delete", "namespace", identity.namespace, "--wait=false"]);
    }
  });

  it("leads to a server in the pod", async () => {
    const identity = on.identity("served");
    const serve =
      "echo hello >index.html; if busybox httpd --help 2>/dev/null || [ $? -ne 127 ]; then exec busybox httpd -f -p 8080; fi; exec python3 -m http.server 8080";
    const { nodeAddress, service } = await on.pods.create(identity, on.spec({ command: ["sh", "-c", serve] }), control);
    const answer = await eventually("an answer", async () => {
      const response = await fetch(`http://${nodeAddress}:${service.nodePort}/index.html`, { signal: AbortSignal.timeout(2_000) }).catch(
        () => undefined,
      );
      return response?.text();
    });
    expect(answer).toBe("hello\n");
  });
});

describe("observe", () => {
  it("finds nothing where nothing is, and nothing of a Deployment with another uid", async () => {
    const identity = on.identity("nowhere");
    expect(await on.pods.observe(identity, control)).toEqual({ ...absent(identity), service: { ports: [] } });
    const other = on.identity("observed");
    await on.pods.create(other, on.spec(), control);
    expect(await on.pods.observe({ ...other, deploymentUid: "of-an-earlier-one" }, control)).toMatchObject({ status: "absent" });
  });
});

describe("the way to the cluster", () => {
  it.each([
    ["kubectl-missing", ["/nonexistent/kubectl"]],
    ["cluster-unreachable", ["kubectl", "--server=https://127.0.0.1:1", "--token=x"]],
  ])("is reported as %s", async (code, kubectl) => {
    const lost = createPods({ ...on.pool, installation: on.installation, kubectl });
    const identity = on.identity(code);
    await expect(lost.create(identity, on.spec(), control)).rejects.toMatchObject({ name: "KubeError", code });
    await expect(lost.find({ kind: "project", id: code, name: "default" }, control)).rejects.toMatchObject({ code });
    await expect(lost.delete(identity, control)).rejects.toMatchObject({ code });
  });
});

async function putNamespace(name: string, metadata: object): Promise<void> {
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { ...metadata, name } };
  await on.admin(["apply", "--server-side", "--validate=ignore", "-f", "-"], JSON.stringify(namespace));
}

function absent({ namespace, deployment }: PodIdentity): object {
  return { status: "absent", namespace, deployment, differs: [], updated: [] };
}
