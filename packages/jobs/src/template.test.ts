import { describe, expect, it } from "vitest";
import { onTemplate, parseRequest, parseTemplate } from "./catalog.ts";
import { templateRef } from "./template.ts";

const whole = {
  image: "localhost/py:3",
  command: ["sleep", "9"],
  env: { A: "1" },
  resources: { memory: "1Gi" },
  storage: "1Gi",
  user: 33333,
  ttlMs: 60_000,
  labels: { team: "a" },
  level: "baseline",
  runtimeClass: "gvisor",
  nodeSelector: { "kubernetes.io/os": "linux" },
  tolerations: [{ key: "gpu", operator: "Exists", effect: "NoExecute", tolerationSeconds: 9 }, { operator: "Exists" }],
} as const;

describe("a template", () => {
  it("is taken as it is written, without a default", () => {
    expect(parseTemplate("py", whole)).toEqual({ name: "py", body: whole });
    expect(parseTemplate("py", {})).toEqual({ name: "py", body: {} });
    expect(parseTemplate("root", { user: 0, level: "baseline" }).body).toEqual({ user: 0, level: "baseline" });
  });

  it.each<[string, unknown, RegExp]>([
    ["root without the level that allows it", { user: 0 }, /user is root, which takes the level "baseline"/],
    ["a level that does not exist", { level: "privileged" }, /level/],
    ["a pod spec of Kubernetes", { spec: { hostNetwork: true } }, /unknown option "spec"/],
    ["a security context", { securityContext: {} }, /unknown option "securityContext"/],
    ["a label of podq's own", { labels: { "podq.dev/pod": "x" } }, /podq\.dev\/pod is a reserved label key/],
    ["a label of Kubernetes' own", { labels: { "app.kubernetes.io/managed-by": "me" } }, /is a reserved label key/],
    ["a label of Pod Security", { labels: { "pod-security.kubernetes.io/enforce": "privileged" } }, /is a reserved label key/],
    ["what is a request's own", { timeoutMs: 1 }, /unknown option "timeoutMs"/],
    ["another template", { template: "py" }, /unknown option "template"/],
    ["a quantity that is none", { resources: { cpu: "lots" } }, /resources\.cpu is no quantity/],
    ["a toleration of nothing", { tolerations: [{ value: "x" }] }, /tolerations\.0 must have a key/],
    ["a toleration with a value too many", { tolerations: [{ key: "a", operator: "Exists", value: "x" }] }, /tolerations\.0 has a value/],
    [
      "a toleration for a while of what does not end it",
      { tolerations: [{ key: "a", tolerationSeconds: 1 }] },
      /only the effect NoExecute/,
    ],
    ["a node selector that is none", { nodeSelector: { "a b": "c" } }, /nodeSelector/],
    ["no map", "image: x", /the request/],
  ])("with %s is refused, and told why", (_what, body, message) => {
    expect(() => parseTemplate("py", body)).toThrow(message);
  });

  it.each(["", "Py", "py@1", "-py", "a/b", "x".repeat(64)])("is not called %j", (name) => {
    expect(() => parseTemplate(name, {})).toThrow(/name must be a DNS label/);
  });

  it("is named with a version or without", () => {
    expect([templateRef("py"), templateRef("py@12")]).toEqual([
      { name: "py", version: null },
      { name: "py", version: 12 },
    ]);
  });
});

describe("a create on its template", () => {
  const body = parseTemplate("py", whole).body;

  it("has what it says itself, then what the template says, then the defaults; maps are merged", () => {
    const own = parseRequest("create", {
      owner: { project: "p" },
      params: { template: "py", image: "localhost/py:4", env: { A: "2", B: "3" }, resources: { cpu: "2" } },
      labels: { team: "b", of: "p" },
    });
    expect(onTemplate(body, own.params, own.labels)).toEqual({
      params: {
        ...whole,
        labels: undefined,
        template: "py",
        image: "localhost/py:4",
        env: { A: "2", B: "3" },
        resources: { memory: "1Gi", cpu: "2", memoryRequests: "100Mi", cpuRequests: "100m" },
        timeoutMs: 300_000,
      },
      labels: { team: "b", of: "p" },
    });
  });

  it("of an empty one is a create without", () => {
    const { params } = parseRequest("create", { owner: { project: "p" } });
    expect(onTemplate({}, { template: "py" }, {})).toEqual({ params: { ...params, template: "py" }, labels: {} });
  });

  it("keeps root only where it does not name a user of its own", () => {
    const root = parseTemplate("root", { user: 0, level: "baseline" }).body;
    expect(onTemplate(root, { template: "root" }, {}).params).toMatchObject({ user: 0, level: "baseline" });
    expect(onTemplate(root, { template: "root", user: 1001 }, {}).params).toMatchObject({ user: 1001, level: "baseline" });
  });
});
