import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { setScene, type Scene } from "./testing.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
  await scene.startWorker({ PODQ_INGRESS_URL: "https://{port}-{pod}.apps.example.org" });
});
afterAll(async () => scene?.stop());

const small = (): string[] => {
  const { memory, cpu, memoryRequests, cpuRequests } = scene.small;
  return ["--memory", memory, "--cpu", cpu, "--memory-requests", memoryRequests, "--cpu-requests", cpuRequests];
};

const serve = (port: number): string => `mkdir -p /tmp/${port}; echo ${port} >/tmp/${port}/index.html; httpd -p ${port} -h /tmp/${port}`;

const answer = async (url: string | null | undefined): Promise<string | undefined> => {
  const asked = fetch(`${url}/`, { headers: { connection: "close" }, signal: AbortSignal.timeout(2_000) });
  return asked.then(
    async (response) => response.text(),
    () => undefined,
  );
};

describe("the ports of a pod", () => {
  it("are those that a create names; one more is exposed while its processes go on, until it is not to be any more", async () => {
    const owner = ["--project", "ports"];
    const pod = scene.podq.pod({ project: "ports" });
    const { image } = scene.cluster;
    expect(await scene.cli(["create", ...owner, "--image", image, ...small(), "--port", "web=8080"])).toMatchObject({ code: 0 });
    const made = (await pod.get())!;
    expect(made.service).toMatchObject({ access: "nodePort", ports: [{ name: "web", port: 8080, protocol: "TCP" }] });
    expect(made.service.accessUrl).toBe(made.service.ports[0]!.url);
    const processes = async (): Promise<string> => (await pod.run("for p in $(pidof httpd); do echo $p; done | sort")).stdout.text();
    await pod.run(`${serve(8080)}; ${serve(3000)}`);
    const before = await processes();

    const told = await scene.cli(["expose", ...owner, "3000", "--as", "api", "--wait-port", "3000"]);
    expect(told).toMatchObject({ code: 0, stdout: expect.stringMatching(/^port api +http/m) as string });
    const exposed = (await pod.get())!;
    expect(exposed).toMatchObject({ podUid: made.podUid, service: { ports: [made.service.ports[0], { name: "api", port: 3000 }] } });
    expect(await processes()).toBe(before);
    for (const { url, port } of exposed.service.ports) await expect.poll(async () => answer(url), { timeout: 20_000 }).toBe(`${port}\n`);
    const again = await (await pod.create({ image, resources: scene.small })).result();
    expect(again).toMatchObject({ differs: [], service: exposed.service });

    await expect((await pod.expose({ port: 9, name: "api" })).result()).rejects.toMatchObject({ code: "conflict", state: "failed" });
    expect((await pod.get())!.status).toBe("running");
    expect(await scene.cli(["unexpose", ...owner, "api"])).toMatchObject({ code: 0 });
    expect((await pod.get())!.service).toEqual(made.service);
    await expect.poll(async () => answer(exposed.service.ports[1]!.url), { timeout: 20_000 }).toBeUndefined();
  });

  it("are waited for until something listens, or the time is over", async () => {
    const pod = scene.podq.pod({ project: "waits" });
    await (await pod.create({ image: scene.cluster.image, resources: scene.small })).result();
    const early = scene.cli(["wait-port", "--project", "waits", "8080", "--timeout-ms", "1000"]);
    expect(await early).toMatchObject({ code: 1, stderr: expect.stringContaining("nothing listens at port 8080") as string });
    const waiting = pod.waitForPort(8080);
    const served = await pod.exec(serve(8080), { parallel: true });
    await waiting;
    expect((await served.result()).exitCode).toBe(0);
    expect(await scene.cli(["wait-port", "--project", "waits", "8080"])).toMatchObject({ code: 0 });
    await expect(pod.waitForPort(0)).rejects.toMatchObject({ code: "invalid-request" });
  });

  it("have URLs under an ingress for a pod that asks for it, and hold no node port", async () => {
    const pod = scene.podq.pod({ project: "named" });
    const { image } = scene.cluster;
    const made = await (await pod.create({ image, resources: scene.small, access: "ingress" })).result();
    expect(made.service).toMatchObject({ access: "ingress", nodePort: null, ports: [{ name: "http", nodePort: null }] });
    expect(made.service.accessUrl).toMatch(/^https:\/\/http-[0-9a-v]{16}\.apps\.example\.org$/);
    const { stdout } = await scene.cluster.kubectl(["get", "ingresses", "-n", made.namespace, "-o", "json"]);
    const host = new URL(made.service.accessUrl!).hostname;
    expect((JSON.parse(stdout) as { items: unknown[] }).items).toMatchObject([{ spec: { rules: [{ host }] } }]);
  });

  it("of no pod cannot be exposed, and the job says what to do", async () => {
    const job = await scene.podq.pod({ project: "never" }).expose({ port: 1 });
    await expect(job.result()).rejects.toMatchObject({
      code: "pod-not-running",
      message: expect.stringContaining("create it first") as string,
    });
  });
});
