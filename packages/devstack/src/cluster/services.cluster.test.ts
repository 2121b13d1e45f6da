import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useTestCluster } from "../testing.ts";
import type { TestCluster } from "../testing.ts";
import { until } from "../until.ts";
import type { JsonMap, Service } from "./object.ts";
import { objectsIn, workload } from "./testing.ts";

const space = `dv-${randomBytes(3).toString("hex")}-net`;
const labels = { app: "ws" };
let cluster: TestCluster;
beforeAll(async () => {
  cluster = await useTestCluster();
  const { code, stderr } = await apply(workload(space, cluster.image));
  if (code !== 0) throw new Error(stderr);
});
afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", space, "--wait=false"]);
  await cluster.stop();
});

const apply = async (objects: string): ReturnType<TestCluster["kubectl"]> =>
  cluster.kubectl(["apply", "--server-side", "--field-manager=podq", "--force-conflicts", "--validate=ignore", "-f", "-"], objects);

const serviceOf = (name: string, type: string, ports: JsonMap[], metadata: JsonMap = {}): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: space, ...metadata },
    spec: { type, selector: labels, ports },
  });

const ingressOf = (spec: JsonMap): string =>
  JSON.stringify({ apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata: { name: "w", namespace: space }, spec });

const rule = (host: string, path: JsonMap): JsonMap => ({ rules: [{ host, http: { paths: [path] } }] });
const toPort = { service: { name: "w", port: { name: "a" } } };

async function read(name: string): Promise<Service> {
  const { stdout } = await cluster.kubectl(["get", "service", name, "-n", space, "-o", "json"]);
  return objectsIn(stdout)[0] as Service;
}

const [http, api] = [
  { name: "http", port: 8080, targetPort: 8080 },
  { name: "api", port: 3000, targetPort: 3000 },
];

describe("a Service", () => {
  it.each<[string, JsonMap[], RegExp]>([
    ["without ports", [], /is invalid: spec.ports: Required value$/m],
    [
      "with port 0",
      [{ name: "a", port: 0, targetPort: 1 }],
      /spec.ports\[0\].port: Invalid value: 0: must be between 1 and 65535, inclusive$/m,
    ],
    ["with two ports of which one has no name", [{ name: "a", port: 1 }, { port: 2 }], /spec.ports\[1\].name: Required value$/m],
    ["with a name twice", [http, { ...api, name: "http" }], /spec.ports\[1\].name: Duplicate value: "http"$/m],
    ["with a port twice", [http, { ...http, name: "b" }], /\.spec\.ports: duplicate entries for key \[port=8080,protocol="TCP"\]$/m],
    ["with a name that is none", [{ name: "A_", port: 1 }], /spec.ports\[0\].name: Invalid value: "A_": a lowercase RFC 1123 label must/m],
    [
      "to a port that has no name",
      [{ name: "a", port: 1, targetPort: "W_" }],
      /targetPort: Invalid value: "W_": must contain only alpha-numeric/,
    ],
  ])("%s is refused", async (_what, ports, words) => {
    const { code, stderr } = await apply(serviceOf("bad", "ClusterIP", ports));
    expect(code).toBe(1);
    expect(stderr).toMatch(words);
  });

  it("has no node ports as a ClusterIP, gets them as a NodePort, keeps those of ports that stay, and gives them back", async () => {
    await apply(serviceOf("kinds", "ClusterIP", [http]));
    const inside = await read("kinds");
    expect(inside.spec).toMatchObject({ type: "ClusterIP", clusterIP: expect.stringMatching(/^10\./) });
    expect(inside.spec.ports).toEqual([{ ...http, protocol: "TCP" }]);
    await apply(serviceOf("kinds", "NodePort", [http]));
    const [first] = (await read("kinds")).spec.ports;
    expect(first!.nodePort).toBeGreaterThan(0);
    await apply(serviceOf("kinds", "NodePort", [api, http, { ...api, name: "udp", protocol: "UDP" }]));
    const three = (await read("kinds")).spec.ports;
    expect(three.map(({ name }) => name)).toEqual(["api", "http", "udp"]);
    expect(three[1]).toEqual(first);
    expect(three[2]!.nodePort).toBeGreaterThan(0);
    await apply(serviceOf("kinds", "ClusterIP", [api]));
    const after = await read("kinds");
    expect(after.spec.ports).toEqual([{ ...api, protocol: "TCP" }]);
    expect(after.spec).not.toHaveProperty("externalTrafficPolicy");
    expect(after.spec.clusterIP).toBe(inside.spec.clusterIP);
  });

  it("is not written over by whoever has read it before it was changed", async () => {
    await apply(serviceOf("read", "ClusterIP", [http]));
    const { resourceVersion } = (await read("read")).metadata;
    await apply(serviceOf("read", "ClusterIP", [http, api], { resourceVersion }));
    const late = await apply(serviceOf("read", "ClusterIP", [http], { resourceVersion }));
    expect(late.stderr).toMatch(/services "read": the object has been modified; please apply your changes to the latest version/);
    expect((await read("read")).spec.ports).toHaveLength(2);
  });

  it("that is changed is followed by the node: new ports answer, those taken away do no more", async () => {
    const pod = await until("the pod is ready", async () => {
      const { stdout } = await cluster.kubectl(["get", "pods", "-n", space, "-o", "json"]);
      return objectsIn(stdout).find(
        ({ status }) => JSON.stringify(status?.conditions ?? []).includes('"type":"Ready"') && status?.phase === "Running",
      );
    });
    const serve = "for p in 8080 3000; do mkdir -p /tmp/$p; echo $p >/tmp/$p/index.html; httpd -p $p -h /tmp/$p; done";
    expect(await cluster.kubectl(["exec", "-n", space, pod.metadata.name, "--", "sh", "-c", serve])).toMatchObject({ code: 0 });
    const host = String(pod.status?.hostIP);
    const ask = async (port: number | undefined): Promise<string | undefined> =>
      (await fetch(`http://${host}:${port}/`, { headers: { connection: "close" }, signal: AbortSignal.timeout(2_000) })).text();

    await apply(serviceOf("ws", "NodePort", [http, api]));
    const [one, two] = (await read("ws")).spec.ports;
    expect(await until("the first answers", async () => ask(one!.nodePort).catch(() => undefined))).toBe("8080\n");
    expect(await until("the second answers", async () => ask(two!.nodePort).catch(() => undefined))).toBe("3000\n");
    await apply(serviceOf("ws", "NodePort", [http]));
    await until("the second is refused", async () => ((await isOpen(host, two!.nodePort!)) ? undefined : true));
    expect(await ask(one!.nodePort)).toBe("8080\n");
  });
});

describe("an Ingress", () => {
  it.each<[string, JsonMap, RegExp]>([
    ["without rules", {}, /is invalid: spec: Invalid value: null: either `defaultBackend` or `rules` must be specified$/m],
    [
      "of a host that is none",
      rule("A.b", { path: "/", pathType: "Prefix", backend: toPort }),
      /host: Invalid value: "A.b": a lowercase RFC 1123 subdomain/,
    ],
    [
      "without a type of path",
      rule("a.b", { path: "/", backend: toPort }),
      /paths\[0\].pathType: Required value: pathType must be specified$/m,
    ],
    [
      "of a path that is relative",
      rule("a.b", { path: "x", pathType: "Prefix", backend: toPort }),
      /path: Invalid value: "x": must be an absolute path$/m,
    ],
    [
      "to nowhere",
      rule("a.b", { path: "/", pathType: "Prefix", backend: {} }),
      /backend: Invalid value: "": resource or service backend is required$/m,
    ],
    [
      "to no port",
      rule("a.b", { path: "/", pathType: "Prefix", backend: { service: { name: "w" } } }),
      /backend: Required value: port name or number is required$/m,
    ],
    ["without paths", { rules: [{ host: "a.b", http: { paths: [] } }] }, /rules\[0\].http.paths: Required value$/m],
    ["with a field that it has not", { rulez: [] }, /\.spec\.rulez: field not declared in schema$/m],
  ])("%s is refused", async (_what, spec, words) => {
    const { code, stderr } = await apply(ingressOf(spec));
    expect(code).toBe(1);
    expect(stderr).toMatch(words);
  });

  it("is kept as it is, replaced and deleted", async () => {
    const spec = { ingressClassName: "any", tls: [{ hosts: ["a.b"] }], ...rule("a.b", { path: "/", pathType: "Prefix", backend: toPort }) };
    expect(await apply(ingressOf(spec))).toMatchObject({ code: 0 });
    const ask = async (): ReturnType<TestCluster["kubectl"]> => cluster.kubectl(["get", "ingresses", "-n", space, "-o", "json"]);
    expect(objectsIn((await ask()).stdout)).toMatchObject([{ spec, metadata: { generation: 1 }, status: { loadBalancer: {} } }]);
    const other = rule("c.d", { path: "/", pathType: "Prefix", backend: toPort });
    expect(await apply(ingressOf(other))).toMatchObject({ code: 0 });
    expect(objectsIn((await ask()).stdout)[0]!.spec).toEqual(other);
    expect(await cluster.kubectl(["delete", "ingress", "w", "-n", space])).toMatchObject({ code: 0 });
    expect(objectsIn((await ask()).stdout)).toEqual([]);
  });
});

async function isOpen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("timeout", () => resolve(false)).once("close", () => socket.destroy());
  });
}
