import { describe, expect, it } from "vitest";
import { apply, recordUpdate } from "./apply.ts";
import type { JsonMap, KubeObject } from "./object.ts";

const deployment = (spec: JsonMap, labels: Record<string, string> = {}): KubeObject => {
  const text = JSON.stringify({ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "ws", namespace: "n", labels }, spec });
  return JSON.parse(text);
};
const container = (fields: JsonMap): JsonMap => ({ template: { spec: { containers: [{ name: "workspace", ...fields }] } } });

describe("server-side apply", () => {
  it("keeps what others have put into the object", () => {
    const live = apply(undefined, deployment({ replicas: 1 }), "podq", true);
    live.metadata.annotations = { "deployment.kubernetes.io/revision": "1" };
    live.status = { replicas: 1 };
    const after = apply(live, deployment({ replicas: 0 }), "podq", true);
    expect(after.spec).toEqual({ replicas: 0 });
    expect(after.status).toEqual({ replicas: 1 });
    expect(after.metadata.annotations).toEqual({ "deployment.kubernetes.io/revision": "1" });
  });

  it("drops what the same manager applies no more", () => {
    const live = apply(undefined, deployment({ replicas: 1, minReadySeconds: 2 }, { a: "1", b: "2" }), "podq", true);
    const after = apply(live, deployment({ replicas: 1 }, { b: "2" }), "podq", true);
    expect(after.spec).toEqual({ replicas: 1 });
    expect(after.metadata.labels).toEqual({ b: "2" });
  });

  it("merges the items of a list by their keys", () => {
    const first = {
      env: [
        { name: "A", value: "1" },
        { name: "B", value: "2" },
      ],
      ports: [{ containerPort: 80 }],
    };
    const live = apply(undefined, deployment(container(first)), "podq", true);
    const second = {
      env: [
        { name: "B", value: "3" },
        { name: "C", value: "4" },
      ],
      ports: [{ containerPort: 80, protocol: "TCP" }],
    };
    const after = apply(live, deployment(container(second)), "podq", true);
    expect(after.spec).toEqual(container({ env: second.env, ports: [{ containerPort: 80, protocol: "TCP" }] }));
  });

  it("keeps a container that somebody else has put beside its own", () => {
    const live = apply(undefined, deployment(container({ image: "a" })), "podq", true);
    const side: KubeObject = structuredClone(live);
    side.spec = {
      template: {
        spec: {
          containers: [
            { name: "workspace", image: "a" },
            { name: "side", image: "s" },
          ],
        },
      },
    };
    const after = apply(recordUpdate(live, side, "injector"), deployment(container({ image: "b" })), "podq", true);
    expect(after.spec).toEqual({
      template: {
        spec: {
          containers: [
            { name: "workspace", image: "b" },
            { name: "side", image: "s" },
          ],
        },
      },
    });
  });

  it("refuses to change what another manager owns, unless forced", () => {
    const live = apply(undefined, deployment({ replicas: 1 }), "podq", true);
    const scaled = recordUpdate(live, { ...live, spec: { replicas: 3 } }, "kubectl");
    expect(() => apply(scaled, deployment({ replicas: 1 }), "podq", false)).toThrow(
      'Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas',
    );
    expect(apply(scaled, deployment({ replicas: 1 }), "podq", true).spec).toEqual({ replicas: 1 });
  });

  it("changes nothing when the same is applied again", () => {
    const live = apply(undefined, deployment({ ...container({ image: "a" }), replicas: 1 }, { a: "1" }), "podq", true);
    expect(apply(live, deployment({ ...container({ image: "a" }), replicas: 1 }, { a: "1" }), "podq", true)).toEqual(live);
  });

  it.each([
    [{ replicaz: 1 }, ".spec.replicaz: field not declared in schema"],
    [{ replicas: "one" }, ".spec.replicas: expected numeric (int or float), got string"],
    [container({ images: "a" }), '.spec.template.spec.containers[name="workspace"].images: field not declared in schema'],
  ])("refuses %j", (spec, message) => {
    const what = "failed to create typed patch object (n/ws; apps/v1, Kind=Deployment)";
    expect(() => apply(undefined, deployment(spec), "podq", true)).toThrow(`${what}: ${message}`);
  });

  it("refuses a quantity that is none", () => {
    expect(() => apply(undefined, deployment(container({ resources: { limits: { memory: "lots" } } })), "podq", true)).toThrow(
      "quantities must match the regular expression",
    );
  });
});
