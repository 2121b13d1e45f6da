import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Deployment, Pod } from "./objects.ts";
import { currentPod, judge } from "./verdict.ts";
import type { Verdict } from "./verdict.ts";

type Recorded = { deployment: Deployment; pods: Pod[] };

// What Kubernetes 1.36.3 said, cut down to the fields that are read.
const recorded: Record<string, Recorded> = JSON.parse(readFileSync(join(import.meta.dirname, "verdict.recorded.json"), "utf8"));
const changed = (name: string, change: (copy: Recorded) => void): Recorded => {
  const copy = structuredClone(recorded[name]!);
  change(copy);
  return copy;
};
const judged = ({ deployment, pods }: Recorded): Verdict => judge(deployment, pods);

const failed = (code: string, words: RegExp | string, holdMs = 0) => ({
  kind: "failed",
  code,
  message: expect.stringMatching(words),
  holdMs,
});
const waiting = (reason: string, message: string): Recorded =>
  changed(
    "the container is being created",
    ({ pods }) => (pods[0]!.status!.containerStatuses![0]!.state = { waiting: { reason, message } }),
  );
const refused = (message: string): Recorded =>
  changed("quota refuses it", ({ deployment }) => {
    deployment.status!.conditions!.find(({ type }) => type === "ReplicaFailure")!.message = message;
  });
const withMetadata = (pod: Pod, metadata: Partial<Pod["metadata"]>): Pod => ({ ...pod, metadata: { ...pod.metadata, ...metadata } });
describe("judge, on what a real cluster said", () => {
  const starting = { kind: "starting" };
  const table: [string, object][] = [
    ["the container is being created", starting],
    ["the container runs, but not yet for minReadySeconds", starting],
    ["it is available", { kind: "running", holdMs: 0 }],
    ["no such image, first pull", failed("image-not-found", /localhost\/nope:1: not found$/)],
    ["no such image, backing off", failed("image-not-found", /^rpc error: .*: not found$/)],
    ["not an image reference", failed("image-invalid", /invalid reference format/)],
    ["no node has room", failed("unschedulable", /0\/1 nodes are available: 1 Insufficient cpu/, 2_000)],
    ["pod security refuses it", failed("policy-violation", /violates PodSecurity/, 1_000)],
    ["quota refuses it", failed("quota-exceeded", /exceeded quota: q, requested: pods=1/, 1_000)],
    ["limit range refuses it", failed("policy-violation", /maximum memory usage per Container is 16Mi/, 1_000)],
    ["the command ended once", starting],
    ["the command runs again after one end", starting],
    ["the command ended twice, not backing off yet", failed("crash-loop", /exit code 3/)],
    ["backing off after the command ended", failed("crash-loop", /exit code 3/)],
    ["running once more after the back-off", starting],
    ["no such command, first try", failed("start-failed", /no such file or directory/)],
    ["no such command, second try", failed("start-failed", /no such file or directory/)],
    ["out of memory, first time", failed("oom-killed", /memory limit/)],
    ["available again after out of memory", { kind: "running", holdMs: 10_000 }],
    ["registry does not answer, first pull", failed("image-pull-failed", /^failed to pull .* i\/o timeout$/, 10_000)],
    ["registry does not answer, backing off", failed("image-pull-failed", /^failed to pull .* i\/o timeout$/, 10_000)],
    ["evicted, its replacement being created", starting],
    ["evicted, its replacement available", { kind: "running", holdMs: 1_500 }],
  ];

  it("has a row for all that was recorded", () => {
    expect(table.map(([name]) => name)).toEqual(Object.keys(recorded));
  });

  it.each(table)("%s", (name, verdict) => {
    expect(judged(recorded[name]!)).toEqual(verdict);
  });
});

describe("judge", () => {
  it("knows what is not there and what is scaled to nothing", () => {
    expect(judge(undefined, [])).toEqual({ kind: "absent" });
    expect(judged(changed("it is available", ({ deployment }) => (deployment.spec.replicas = 0)))).toEqual({ kind: "stopped" });
  });

  it.each([
    ["ErrImagePull", "manifest unknown: manifest unknown", "image-not-found", 0],
    ["ErrImagePull", "pull access denied, repository does not exist or may require authorization", "image-not-found", 0],
    ["ErrImagePull", "unexpected status from HEAD request: 401 Unauthorized", "image-pull-failed", 0],
    ["ErrImagePull", "dial tcp: lookup registry.example: no such host", "image-pull-failed", 10_000],
    ["ErrImagePull", "dial tcp 10.0.0.1:443: connect: connection refused", "image-pull-failed", 10_000],
    ["ImagePullBackOff", 'Back-off pulling image "busybox:1"', "image-pull-failed", 10_000],
    ["RegistryUnavailable", "image pull failed because the registry is unavailable", "image-pull-failed", 10_000],
    ["SignatureValidationFailed", "no signature", "image-pull-failed", 0],
    ["ErrImageNeverPull", "is not present with pull policy of Never", "image-not-found", 0],
    ["CreateContainerConfigError", 'secret "x" not found', "config-error", 2_000],
    ["CreateContainerConfigError", "container has runAsNonRoot and image will run as root", "config-error", 2_000],
    ["CreateContainerError", "context deadline exceeded", "start-failed", 5_000],
  ])("calls a container that waits for %s (%s) %s", (reason, message, code, holdMs) => {
    expect(judged(waiting(reason, message))).toMatchObject({ kind: "failed", code, holdMs });
  });

  it.each(["ContainerCreating", "PodInitializing", "SomethingNew"])("waits while the container waits for %s", (reason) => {
    expect(judged(waiting(reason, ""))).toEqual({ kind: "starting" });
  });

  it.each([
    ['pods "x" is forbidden: failed quota: q: must specify limits.memory for: workspace', "quota-exceeded"],
    ['admission webhook "x" denied the request: no', "policy-violation"],
    ["ValidatingAdmissionPolicy 'x' with binding 'y' denied request: no", "policy-violation"],
    ['Pod "x" is invalid: spec.containers[0].env[0].name: Invalid value', "config-error"],
  ])("calls a refused pod (%s) %s", (message, code) => {
    expect(judged(refused(message))).toMatchObject({ kind: "failed", code });
  });

  it.each([
    'pods "x" is forbidden: error looking up service account ns/default: serviceaccount "default" not found',
    'pods "x" is forbidden: status unknown for quota: q, resources: pods',
    'Internal error occurred: failed calling webhook "x": connection refused',
  ])("waits on what passes by itself: %s", (message) => {
    expect(judged(refused(message))).toEqual({ kind: "starting" });
  });

  it("does not believe a condition that is older than the spec", () => {
    const behind = changed("quota refuses it", ({ deployment }) => (deployment.metadata.generation = 2));
    expect(judged(behind)).toEqual({ kind: "starting" });
  });

  it("does not believe in availability that is older than the spec", () => {
    const behind = changed("it is available", ({ deployment }) => (deployment.metadata.generation = 2));
    expect(judged(behind)).toEqual({ kind: "starting" });
  });

  it("takes the cluster's own deadline for an end only while no pod says more", () => {
    const exceeded = { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded", message: "has timed out progressing" };
    const late = (name: string): Verdict => judged(changed(name, ({ deployment }) => (deployment.status!.conditions = [exceeded])));
    expect(late("the container is being created")).toMatchObject({ code: "start-timeout" });
    expect(late("no such image, first pull")).toMatchObject({ code: "image-not-found" });
  });

  it("names an eviction if nothing took the pod's place", () => {
    const alone = changed("evicted, its replacement being created", (copy) => {
      copy.pods = copy.pods.filter(({ status }) => status?.phase === "Failed");
    });
    expect(judged(alone)).toMatchObject({ code: "evicted", message: expect.stringMatching(/^Evicted: Usage of EmptyDir volume/) });
  });
});

describe("currentPod", () => {
  const { deployment, pods } = recorded["it is available"]!;
  const ready = pods[0]!;
  const fresh = recorded["the container is being created"]!.pods[0]!;
  it("is not the evicted one that lingers", () => {
    const evicted = recorded["evicted, its replacement available"]!;
    expect(currentPod(evicted.deployment, evicted.pods)?.status?.phase).toBe("Running");
  });

  it("is not one that is being deleted, however ready it is", () => {
    const dying = withMetadata(ready, { deletionTimestamp: "2026-01-01T00:00:00Z" });
    expect(currentPod(deployment, [dying, withMetadata(fresh, { uid: "new" })])?.metadata.uid).toBe("new");
  });

  it("is not one of an earlier start", () => {
    const earlier = withMetadata(ready, { annotations: { "podq.dev/start": "s0" } });
    expect(currentPod(deployment, [earlier])).toBeUndefined();
  });

  it("is not one that a rollout from elsewhere is about to replace", () => {
    const restarted = structuredClone(deployment);
    restarted.spec.template.metadata!.annotations!["kubectl.kubernetes.io/restartedAt"] = "2026-01-01T00:00:00Z";
    expect(currentPod(restarted, [ready])).toBeUndefined();
  });

  it("is the ready one of two, and of two that are not ready the younger", () => {
    expect(currentPod(deployment, [withMetadata(fresh, { uid: "other" }), ready])).toBe(ready);
    const younger = withMetadata(fresh, { uid: "younger", creationTimestamp: "2036-01-01T00:00:00Z" });
    expect(currentPod(deployment, [fresh, younger])).toBe(younger);
  });
});
