import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { annotation, annotationsOf, isOurs, label, labelsOf, podNames } from "./names.ts";
import type { PodKey } from "./names.ts";

const ids = fc.stringMatching(/^[A-Za-z0-9._:@-]{1,128}$/);
const keys: fc.Arbitrary<PodKey> = fc.record({
  installation: fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$/),
  kind: fc.constantFrom("project", "conversation"),
  id: ids,
  name: fc.oneof(fc.constant("default"), ids),
  generation: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
});
const p1: PodKey = { installation: "podq", kind: "project", id: "p1", name: "default", generation: 1 };

describe("podNames", () => {
  it("reads as installation, slug, hash, generation", () => {
    expect(podNames({ ...p1, id: "Team.A:p_1", generation: 7 })).toMatchObject({
      namespace: expect.stringMatching(/^podq-team-a-p-1-[0-9a-v]{16}-7$/),
      deployment: "workspace-7",
      service: "workspace-7",
    });
    expect(podNames({ ...p1, name: "gpu" }).namespace).toMatch(/^podq-p1-gpu-/);
    expect(podNames({ ...p1, id: "@@" }).namespace).toMatch(/^podq-[0-9a-v]{16}-1$/);
  });

  it("is a DNS label, and valid as a label's value, for any id", () => {
    fc.assert(
      fc.property(keys, (key) => {
        const identity = podNames(key);
        for (const name of [identity.namespace, identity.deployment, identity.service])
          expect(name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
        for (const value of Object.values(labelsOf(identity))) expect(value).toMatch(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/);
      }),
    );
  });

  it("never gives two pods, or two lives of one, the same namespace", () => {
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b));
        expect(podNames(a).namespace).not.toBe(podNames(b).namespace);
      }),
    );
  });

  it("tells apart what only differs in one part, or in where one part ends", () => {
    const similar: PodKey[] = [
      p1,
      { ...p1, kind: "conversation" },
      { ...p1, id: "P1" },
      { ...p1, id: "p1-" },
      { ...p1, name: "Default" },
      { ...p1, installation: "podq-p1" },
      { ...p1, generation: 11 },
      { ...p1, id: "a".repeat(127) },
      { ...p1, id: "a".repeat(128) },
    ];
    expect(new Set(similar.map((key) => podNames(key).namespace)).size).toBe(similar.length);
  });

  it("keeps the hash over the generations, so that all of a pod's objects can be found", () => {
    expect(podNames({ ...p1, generation: 2 }).hash).toBe(podNames(p1).hash);
  });

  it.each([
    ["Upper", 1],
    ["a".repeat(25), 1],
    ["-a", 1],
    ["", 1],
    ["podq", 0],
    ["podq", 1.5],
  ])("refuses installation %j with generation %j", (installation, generation) => {
    expect(() => podNames({ ...p1, installation, generation })).toThrow(RangeError);
  });
});

describe("isOurs", () => {
  const identity = podNames(p1);
  const metadata = { labels: labelsOf(identity), annotations: annotationsOf(identity) };

  it("wants the labels and the annotated owner, whatever else is there", () => {
    expect(isOurs(identity, { labels: { ...metadata.labels, more: "x" }, annotations: { ...metadata.annotations, more: "x" } })).toBe(true);
  });

  it.each([
    ["nothing", {}],
    ["the labels alone, which a colliding hash would have, too", { labels: metadata.labels }],
    ["another owner's annotation", { ...metadata, annotations: { ...metadata.annotations, [annotation.id]: "p2" } }],
    ["another installation", { ...metadata, labels: { ...metadata.labels, [label.installation]: "other" } }],
    ["another generation", { ...metadata, labels: { ...metadata.labels, [label.generation]: "2" } }],
    ["somebody else's management", { ...metadata, labels: { ...metadata.labels, [label.managedBy]: "Helm" } }],
  ])("is not satisfied by %s", (_, there) => {
    expect(isOurs(identity, there)).toBe(false);
  });
});
