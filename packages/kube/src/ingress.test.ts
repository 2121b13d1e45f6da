import { describe, expect, it } from "vitest";
import { ingressOf, podUrl, urlOf, wrongUrlTemplate } from "./ingress.ts";
import { podNames } from "./names.ts";
import type { Publication } from "./ports.ts";
import { serviceOf } from "./service.ts";

const identity = podNames({ installation: "podq", kind: "project", id: "p1", name: "default", generation: 1 });
const url = "https://{port}-{pod}.apps.example.org";
const publication: Publication = {
  access: "ingress",
  ports: [
    { name: "http", port: 8080, protocol: "TCP" },
    { name: "api", port: 3000, protocol: "TCP" },
  ],
  exposed: [],
};

describe("a template of URLs", () => {
  it.each([
    url,
    "http://{port}.{pod}.example.org:8443/",
    "https://{pod}-{port}.x.example.org",
    `https://{port}-{pod}.${"a".repeat(63)}.org`,
  ])("may be %s", (template) => {
    expect(wrongUrlTemplate(template)).toBeNull();
  });

  it.each<[string, RegExp]>([
    ["apps.example.org", /must be like/],
    ["ftp://{port}-{pod}.example.org", /must be like/],
    ["https://u:p@{port}-{pod}.example.org", /must be like/],
    ["https://{pod}.example.org/{port}", /must be like/],
    ["https://{pod}.example.org", /\{port\} in its host/],
    ["https://{port}.example.org", /\{pod\} in its host/],
    ["https://{port}-{pod}-{pod}.example.org", /\{pod\} in its host, once/],
    ["https://{port}_{pod}.example.org", /host names that are none/],
    ["https://-{port}-{pod}.example.org", /host names that are none/],
    [`https://{port}-{pod}-${"a".repeat(31)}.org`, /host names that are none/],
    [`https://{port}-{pod}.${"a.".repeat(111)}org`, /253/],
    ["https://{port}-{pod}.example.org:70000", /no addresses/],
  ])("may not be %s", (template, why) => {
    expect(wrongUrlTemplate(template)).toMatch(why);
  });
});

describe("an Ingress", () => {
  it("has a rule for each port, under names that no other pod has", () => {
    const host = (port: string): string => `${port}-${identity.hash}.apps.example.org`;
    expect(ingressOf(identity, publication, { url, className: "nginx" }, {})).toMatchObject({
      metadata: { namespace: identity.namespace, labels: { "podq.dev/pod": identity.hash } },
      spec: {
        ingressClassName: "nginx",
        tls: [{ hosts: [host("http"), host("api")] }],
        rules: [
          { host: host("http"), http: { paths: [{ backend: { service: { name: identity.service, port: { name: "http" } } } }] } },
          { host: host("api"), http: { paths: [{ backend: { service: { port: { name: "api" } } } }] } },
        ],
      },
    });
    expect(urlOf(podUrl({ url }, identity), "api")).toBe(`https://${host("api")}`);
  });

  it("names no certificate where there is none, and no class that was not asked for", () => {
    const { spec } = ingressOf(identity, publication, { url: "http://{port}.{pod}.x.org:8443/" }, {}) as { spec: object };
    expect(Object.keys(spec)).toEqual(["rules"]);
    expect(spec).toMatchObject({ rules: [{ host: `http.${identity.hash}.x.org` }, {}] });
  });

  it("carries no UDP, and is not to be had where the workers know none", () => {
    const udp: Publication = { ...publication, ports: [{ name: "dns", port: 53, protocol: "UDP" }] };
    const refused = expect.objectContaining({ code: "invalid-request" });
    expect(() => ingressOf(identity, udp, { url }, {})).toThrow(refused);
    expect(() => serviceOf(identity, udp, { url })).toThrow(refused);
    expect(() => serviceOf(identity, publication, undefined)).toThrow(refused);
  });
});
