import { describe, expect, it } from "vitest";
import { differs, resourcesOf } from "./differs.ts";
import { deploymentOf } from "./manifest.ts";
import type { PodSpec } from "./manifest.ts";
import { podNames } from "./names.ts";
import { networkPolicyOf } from "./network.ts";
import type { Deployment } from "./objects.ts";

const identity = podNames({ installation: "podq", kind: "project", id: "p1", name: "default", generation: 1 });
const spec: PodSpec = {
  image: "busybox:1",
  env: { A: "1", B: "$(A)" },
  labels: { team: "a" },
  probes: { liveness: { exec: ["test", "$(A)"] }, readiness: { http: { port: 80 } } },
  resources: { memory: "1Gi", cpu: "1", memoryRequests: "100Mi", cpuRequests: "100m" },
};
const deployment = deploymentOf(identity, spec, { start: "s", progressDeadlineSeconds: 9 }) as Deployment;
const there = { deployment, policy: networkPolicyOf(identity, "default", { spec: { ports: [{ port: 80 }] } }) };

describe("differs", () => {
  it("finds nothing in what was made from the same spec", () => {
    expect(differs(identity, spec, there)).toEqual([]);
  });

  it("compares amounts by value, maps whatever their order, and defaults as what they stand for", () => {
    const same: PodSpec = {
      ...spec,
      env: { B: "$(A)", A: "1" },
      resources: { memory: "1024Mi", cpu: "1000m", memoryRequests: "0.09765625Gi", cpuRequests: "0.1" },
      storage: "10240Mi",
      probes: {
        readiness: { http: { port: 80, path: "/" }, periodSeconds: 10 },
        liveness: { exec: ["test", "$(A)"], initialDelaySeconds: 0 },
      },
      user: 1000,
      network: "default",
    };
    expect(differs(identity, same, there)).toEqual([]);
  });

  it.each<[string[], Partial<PodSpec>]>([
    [["image"], { image: "busybox:2" }],
    [["resources"], { resources: { ...spec.resources, cpuRequests: "101m" } }],
    [["env"], { env: { A: "1" } }],
    [["env"], { env: { A: "1", B: "A" } }],
    [["command"], { command: "image" }],
    [["command"], { command: ["sh"] }],
    [["user"], { user: 1001 }],
    [["labels"], { labels: {} }],
    [["labels"], { labels: { team: "b" } }],
    [["storage"], { storage: "1Gi" }],
    [["level"], { level: "baseline" }],
    [[], { level: "restricted", tolerations: [], nodeSelector: {} }],
    [["runtimeClass"], { runtimeClass: "gvisor" }],
    [["nodeSelector"], { nodeSelector: { disk: "ssd" } }],
    [["tolerations"], { tolerations: [{ key: "gpu", operator: "Exists" }] }],
    [["probes"], { probes: { liveness: { exec: ["test", "$(A)"] } } }],
    [["probes"], { probes: { ...spec.probes, readiness: { http: { port: 81 } } } }],
    [["probes"], { probes: { ...spec.probes, readiness: { tcp: { port: 80 } } } }],
    [["probes"], { probes: { ...spec.probes, liveness: { exec: ["test"] } } }],
    [["probes"], { probes: { ...spec.probes, readiness: { http: { port: 80 }, timeoutSeconds: 2 } } }],
    [["network"], { network: "none" }],
    [["network"], { network: { allow: [] as never[], internet: false } }],
    [["network"], { network: { allow: [{ cidr: "10.0.0.1" }] } }],
    [["network"], { network: { allow: [{ pod: "db" }] } }],
    [["image", "user"], { image: "x", user: 2 }],
  ])("names %j", (fields, change) => {
    expect(differs(identity, { ...spec, ...change }, there)).toEqual(fields);
  });
});

describe("a pod without a fence", () => {
  it("differs in that, also from a default that nobody asked for", () => {
    expect(differs(identity, spec, { deployment })).toEqual(["network"]);
  });
});

describe("resourcesOf", () => {
  it("reads the four figures", () => {
    expect(resourcesOf(deployment)).toEqual(spec.resources);
  });
});
