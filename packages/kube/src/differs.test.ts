import { describe, expect, it } from "vitest";
import { differs, resourcesOf } from "./differs.ts";
import { deploymentOf } from "./manifest.ts";
import type { PodSpec } from "./manifest.ts";
import { podNames } from "./names.ts";
import type { Deployment } from "./objects.ts";

const identity = podNames({ installation: "podq", kind: "project", id: "p1", name: "default", generation: 1 });
const spec: PodSpec = {
  image: "busybox:1",
  env: { A: "1", B: "$(A)" },
  labels: { team: "a" },
  resources: { memory: "1Gi", cpu: "1", memoryRequests: "100Mi", cpuRequests: "100m" },
};
const there = deploymentOf(identity, spec, { start: "s", progressDeadlineSeconds: 9 }) as Deployment;

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
      user: 1000,
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
    [["image", "user"], { image: "x", user: 2 }],
  ])("names %j", (fields, change) => {
    expect(differs(identity, { ...spec, ...change }, there)).toEqual(fields);
  });
});

describe("resourcesOf", () => {
  it("reads the four figures", () => {
    expect(resourcesOf(there)).toEqual(spec.resources);
  });
});
