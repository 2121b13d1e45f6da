import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { containerName } from "./manifest.ts";
import type { PodIdentity } from "./names.ts";
import type { PodObservation } from "./observation.ts";
import type { Port } from "./ports.ts";
import { clusterFixture, eventually } from "./testing.ts";
import type { ClusterFixture } from "./testing.ts";

let on: ClusterFixture;
beforeAll(async () => (on = await clusterFixture()));
afterAll(() => on.stop());

const control = { timeoutMs: 60_000 };
const tcp = (name: string, port: number): Port => ({ name, port, protocol: "TCP" });
const [web, api] = [tcp("web", 8080), tcp("api", 3000)];
const serving = (...ports: number[]): string[] => {
  const each = `for p in ${ports.join(" ")}; do mkdir -p /tmp/$p; echo $p >/tmp/$p/index.html; done`;
  const serve = `for p in ${ports.join(" ")}; do httpd -p $p -h /tmp/$p; done`;
  return ["sh", "-c", `${each}; ${serve}; trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done`];
};

const shell = async ({ namespace, podName }: PodObservation, line: string): Promise<string> =>
  on.admin(["exec", `--namespace=${namespace}`, podName!, "-c", containerName, "--", "sh", "-c", line]);

async function answers({ nodeAddress, service }: PodObservation, port: string): Promise<string> {
  const { nodePort } = service.ports.find(({ name }) => name === port)!;
  return eventually(`port ${port} answers`, async () => {
    const asked = fetch(`http://${nodeAddress}:${nodePort}/`, { headers: { connection: "close" }, signal: AbortSignal.timeout(2_000) });
    return (await asked.catch(() => undefined))?.text();
  });
}

const ingresses = async ({ namespace }: PodIdentity): Promise<{ spec: object }[]> =>
  (JSON.parse(await on.admin(["get", "ingresses", `--namespace=${namespace}`, "-o", "json"])) as { items: { spec: object }[] }).items;

describe("the ports of a pod", () => {
  it("answer each at a node port of its own", async () => {
    const made = await on.pods.create(on.identity("two"), on.spec({ command: serving(8080, 3000), ports: [web, api] }), control);
    expect(made.service).toMatchObject({ access: "nodePort", ports: [web, api] });
    expect(made.service.nodePort).toBe(made.service.ports[0]!.nodePort);
    expect([await answers(made, "web"), await answers(made, "api")]).toEqual(["8080\n", "3000\n"]);
  });

  it("are exposed and taken away while its processes go on, and stay so over a stop, a start and a create", async () => {
    const identity = on.identity("changing");
    const spec = on.spec({ command: serving(8080, 3000) });
    const made = await on.pods.create(identity, spec, control);
    const began = await shell(made, "cut -d' ' -f22 /proc/1/stat");
    const exposed = await on.pods.expose(identity, { port: 3000, name: "api", protocol: "TCP" }, control);
    expect(exposed).toMatchObject({ status: "running", podUid: made.podUid, containerId: made.containerId });
    expect(exposed.service.ports).toMatchObject([{ name: "http", nodePort: made.service.nodePort }, api]);
    expect(await answers(exposed, "api")).toBe("3000\n");
    expect(await on.pods.expose(identity, { port: 3000, name: "api", protocol: "TCP" }, control)).toEqual(exposed);
    expect(await shell(exposed, "cut -d' ' -f22 /proc/1/stat")).toBe(began);
    expect(await on.pods.create(identity, { ...spec, ports: [tcp("http", 8080)] }, control)).toMatchObject({ differs: [] });

    await on.pods.stop(identity, control);
    await on.pods.start(identity, control);
    const updated = await on.pods.create(identity, on.spec({ command: serving(8080, 3000), env: { A: "1" } }), {
      ...control,
      ifChanged: "update",
    });
    expect(updated.podUid).not.toBe(made.podUid);
    expect(updated.service).toEqual(exposed.service);
    expect(await answers(updated, "api")).toBe("3000\n");

    const { nodePort } = updated.service.ports[1]!;
    const left = await on.pods.unexpose(identity, "api", control);
    expect(left.service).toEqual(made.service);
    await eventually("the port is closed", async () => ((await isOpen(left.nodeAddress!, nodePort!)) ? undefined : true));
    expect(await answers(left, "http")).toBe("8080\n");
    expect(await on.pods.unexpose(identity, "api", control)).toEqual(left);
    await expect(on.pods.unexpose(identity, "http", control)).rejects.toMatchObject({ code: "conflict" });
    await expect(on.pods.expose(identity, { port: 81, name: "http", protocol: "TCP" }, control)).rejects.toMatchObject({
      code: "conflict",
    });
  });

  it("are not brought back by an attempt that is over", async () => {
    const identity = on.identity("late");
    await on.pods.create(identity, on.spec({ command: serving(8080) }), { ...control, fence: { n: 1, raises: true } });
    await on.pods.expose(identity, { port: 3000, protocol: "TCP" }, { ...control, fence: { n: 3, raises: true } });
    const late = { ...control, fence: { n: 2, raises: true } };
    await expect(on.pods.unexpose(identity, "port-3000", late)).rejects.toMatchObject({ code: "superseded" });
    // What changed nothing has been there as well.
    await on.pods.unexpose(identity, "port-4000", { ...control, fence: { n: 5, raises: true } });
    const later = on.pods.expose(identity, { port: 4000, protocol: "TCP" }, { ...control, fence: { n: 4, raises: true } });
    await expect(later).rejects.toMatchObject({ code: "superseded" });
    expect((await on.pods.observe(identity, control)).service.ports).toHaveLength(2);
  });

  it("of no pod cannot be exposed", async () => {
    const nowhere = on.pods.expose(on.identity("nowhere"), { port: 1, protocol: "TCP" }, control);
    expect(await nowhere).toMatchObject({ status: "absent" });
  });

  it("have no node ports as a ClusterIP, and URLs that hold inside the cluster", async () => {
    const identity = on.identity("inside");
    const made = await on.pods.create(identity, on.spec({ access: "clusterIP" }), control);
    const url = `http://${identity.service}.${identity.namespace}.svc:8080`;
    expect(made.service).toEqual({ access: "clusterIP", ports: [{ name: "http", port: 8080, protocol: "TCP", url }] });
  });

  it("have host names with an Ingress, which follows them; a change of ports and access alone restarts nothing", async () => {
    const identity = on.identity("named");
    const made = await on.pods.create(identity, on.spec({ access: "ingress", ports: [web] }), control);
    const host = (port: string): string => `${port}-${identity.hash}.apps.example.org`;
    expect(made.service).toEqual({ access: "ingress", ports: [{ ...web, url: `https://${host("web")}` }] });
    expect(await ingresses(identity)).toMatchObject([
      {
        spec: {
          ingressClassName: "podq-test",
          tls: [{ hosts: [host("web")] }],
          rules: [
            {
              host: host("web"),
              http: { paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: identity.service, port: { name: "web" } } } }] },
            },
          ],
        },
      },
    ]);
    const exposed = await on.pods.expose(identity, api, control);
    expect(exposed.service.ports[1]).toEqual({ ...api, url: `https://${host("api")}` });
    expect(await ingresses(identity)).toMatchObject([{ spec: { rules: [{ host: host("web") }, { host: host("api") }] } }]);
    const udp = on.pods.expose(identity, { port: 53, protocol: "UDP" }, control);
    await expect(udp).rejects.toMatchObject({ code: "invalid-request" });

    await on.admin(["delete", "ingress", identity.service, `--namespace=${identity.namespace}`]);
    await on.pods.create(identity, on.spec({ access: "ingress" }), control);
    expect(await ingresses(identity)).toHaveLength(1);

    const asked = on.spec({ access: "nodePort", ports: [web] });
    expect(await on.pods.create(identity, asked, control)).toMatchObject({ differs: ["access"], service: exposed.service });
    const moved = await on.pods.create(identity, asked, { ...control, ifChanged: "update" });
    expect(moved).toMatchObject({
      differs: [],
      updated: ["access"],
      podUid: made.podUid,
      service: { access: "nodePort", ports: [web, api] },
    });
    expect(await ingresses(identity)).toEqual([]);
  });
});

describe("a cluster without a node port left", () => {
  it("says so, leaves what is there, and makes what is missing when there is one again", async (test) => {
    test.skip(on.cluster.kind === "real", "nobody may use up the node ports of a cluster that others are on");
    const tight = await clusterFixture({ nodePorts: { first: 30_500, last: 30_501 } });
    try {
      const { pods } = tight;
      const [one, two] = [tight.identity("one"), tight.identity("two")];
      await pods.create(one, tight.spec(), control);
      const full = await pods.expose(one, api, control);
      const exhausted = { code: "node-port-exhausted", message: expect.stringContaining("range is full") };
      await expect(pods.expose(one, tcp("more", 4000), control)).rejects.toMatchObject(exhausted);
      expect((await pods.observe(full, control)).service).toEqual(full.service);

      const spec = tight.spec({ ports: [web] });
      await expect(pods.create(two, spec, control)).rejects.toMatchObject(exhausted);
      await expect(pods.create(two, spec, control)).rejects.toMatchObject(exhausted);
      const inside = await pods.create(tight.identity("inside"), tight.spec({ access: "clusterIP" }), control);
      expect(inside).toMatchObject({ status: "running", service: { access: "clusterIP" } });
      await pods.unexpose(one, "api", control);
      const made = await pods.create(two, spec, control);
      expect(made).toMatchObject({ status: "running", service: { ports: [{ name: "web", nodePort: expect.any(Number) }] } });
    } finally {
      await tight.stop();
    }
  });
});

async function isOpen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("timeout", () => resolve(false)).once("close", () => socket.destroy());
  });
}
