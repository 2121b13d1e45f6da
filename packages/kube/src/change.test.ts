import { describe, expect, it } from "vitest";
import { stepFor, updatedAnnotation, updatedUnder } from "./change.ts";
import type { IfChanged } from "./change.ts";
import type { PodField } from "./differs.ts";
import type { Deployment } from "./objects.ts";
import type { Verdict } from "./verdict.ts";

describe("a create of a pod that is", () => {
  it.each<[Verdict["kind"], PodField[], Record<IfChanged, string>]>([
    ["absent", [], { ignore: "apply", update: "apply", reject: "apply" }],
    ["running", [], { ignore: "keep", update: "keep", reject: "keep" }],
    ["running", ["image"], { ignore: "keep", update: "apply", reject: "refuse" }],
    ["stopped", [], { ignore: "apply", update: "apply", reject: "apply" }],
    ["stopped", ["env"], { ignore: "start", update: "apply", reject: "refuse" }],
    ["starting", [], { ignore: "apply", update: "apply", reject: "apply" }],
    ["starting", ["image"], { ignore: "apply", update: "apply", reject: "refuse" }],
    ["failed", [], { ignore: "apply", update: "apply", reject: "apply" }],
    ["failed", ["image"], { ignore: "apply", update: "apply", reject: "refuse" }],
  ])("%s and differs in %j", (kind, different, steps) => {
    for (const [ifChanged, step] of Object.entries(steps))
      expect([ifChanged, stepFor({ kind }, different, ifChanged as IfChanged)]).toEqual([ifChanged, step]);
  });
});

const withAnnotations = (annotations: Record<string, string>) => ({ metadata: { annotations } }) as unknown as Deployment;

describe("what a create has changed", () => {
  it("is found under its word, and under no other", () => {
    const deployment = withAnnotations(updatedAnnotation("job-1", ["image", "env"]));
    expect(updatedUnder("job-1", deployment)).toEqual(["image", "env"]);
    expect(updatedUnder("job-2", deployment)).toEqual([]);
    expect(updatedUnder(undefined, deployment)).toEqual([]);
  });

  it("is nothing where nothing is said", () => {
    expect(updatedAnnotation("job-1", [])).toEqual({});
    expect(updatedAnnotation(undefined, ["image"])).toEqual({});
    expect(updatedUnder("job-1", withAnnotations({}))).toEqual([]);
    expect(updatedUnder("job-1", undefined)).toEqual([]);
  });
});
