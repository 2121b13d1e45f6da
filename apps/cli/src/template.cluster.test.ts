import type { PodRecord } from "@podq/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { setScene, type Scene } from "./testing.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
  await scene.startWorker();
});
afterAll(async () => scene.stop());

const apply = async (yaml: string) => scene.cli(["template", "apply", "-f", "-"], {}, yaml);
const small = `resources: { memory: 32Mi, cpu: 50m, memoryRequests: 1Mi, cpuRequests: 1m }`;
const create = async (project: string, ...rest: string[]): Promise<{ code: number | null; stderr: string; pod: PodRecord }> => {
  const { code, stdout, stderr } = await scene.cli(["create", "--project", project, "--json", ...rest]);
  return { code, stderr, pod: JSON.parse(stdout) as PodRecord };
};
const objectOf = async <T>(kind: string, { namespace }: PodRecord): Promise<T> => {
  const of = kind === "namespace" ? [namespace] : [`--namespace=${namespace}`];
  return JSON.parse((await scene.cluster.kubectl(["get", kind, ...of, "-o", "json"])).stdout) as T;
};
const levelOf = async (pod: PodRecord): Promise<string | undefined> =>
  (await objectOf<{ metadata: { labels: Record<string, string> } }>("namespace", pod)).metadata.labels[
    "pod-security.kubernetes.io/enforce"
  ];
type Template = { spec: { template: { metadata: { labels: Record<string, string> }; spec: Record<string, unknown> } } };
const deploymentOf = async (pod: PodRecord): Promise<Template["spec"]["template"]> =>
  (await objectOf<{ items: Template[] }>("deployments", pod)).items[0]!.spec.template;

describe("a template", () => {
  it("is what a pod is made from, which tells its version; what the create says wins", async () => {
    const yaml = `name: py\nimage: ${scene.cluster.image}\nenv: { A: one, B: two }\n${small}\nlabels: { team: blue }\nuser: 1234\n`;
    expect(await apply(yaml)).toMatchObject({ code: 0, stdout: "py@1 saved\n" });
    expect((await apply(yaml)).stdout).toBe("py@1 is as it was\n");
    const { pod } = await create("made", "--template", "py", "--env", "B=mine", "--label", "of=me");
    expect(pod).toMatchObject({ status: "running", template: { name: "py", version: 1 }, labels: { team: "blue", of: "me" } });
    expect(pod).toMatchObject({ image: scene.cluster.image, resources: { memory: "32Mi", cpuRequests: "1m" } });
    const { spec, metadata } = await deploymentOf(pod);
    expect(spec).toMatchObject({
      securityContext: { runAsUser: 1234 },
      containers: [
        {
          env: [
            { name: "A", value: "one" },
            { name: "B", value: "mine" },
          ],
        },
      ],
    });
    expect(metadata.labels).toMatchObject({ team: "blue", of: "me", "app.kubernetes.io/managed-by": "podq" });
    expect((await scene.podq.pod({ project: "made" }).run("id -u")).stdout.text()).toBe("1234\n");
    // A newer version is another pod: it is told where it differs, and made where that is asked for.
    expect((await apply(yaml.replace("one", "three"))).stdout).toBe("py@2 saved\n");
    const as = ["--env", "B=mine", "--label", "of=me"];
    expect((await create("made", "--template", "py", ...as)).pod).toMatchObject({ template: { version: 1 }, differs: ["env"] });
    expect((await create("made", "--template", "py@1", ...as)).pod).toMatchObject({ template: { version: 1 }, differs: [] });
    const { pod: updated } = await create("made", "--template", "py", ...as, "--if-changed", "update");
    expect(updated).toMatchObject({ template: { version: 2 }, updated: ["env"] });
    expect(await scene.cli(["get", "--project", "made"])).toMatchObject({ stdout: expect.stringContaining("py@2") as string });
  });

  it("is restricted unless it asks for baseline, which is told to the namespace and allows root", async () => {
    const yaml = `image: ${scene.cluster.image}\n${small}\n`;
    expect((await apply(`name: base\n${yaml}level: baseline\nuser: 0\n---\nname: tight\n${yaml}`)).stdout).toBe(
      "base@1 saved\ntight@1 saved\n",
    );
    const { pod: root } = await create("root", "--template", "base");
    expect(await levelOf(root)).toBe("baseline");
    expect((await scene.podq.pod({ project: "root" }).run("id -u; grep NoNewPrivs /proc/self/status")).stdout.text()).toMatch(
      /^0\nNoNewPrivs:\s+0\n/,
    );
    const { pod: tight } = await create("tight", "--template", "tight");
    expect(await levelOf(tight)).toBe("restricted");
    expect((await create("root", "--template", "tight")).pod.differs).toEqual(["user", "level"]);
    const { pod: tightened } = await create("root", "--template", "tight", "--if-changed", "update");
    expect(tightened).toMatchObject({ status: "running", template: { name: "tight" } });
    expect(await levelOf(tightened)).toBe("restricted");
    expect((await scene.podq.pod({ project: "root" }).run("id -u")).stdout.text()).toBe("1000\n");
  });

  it("names a runtime and nodes: what does not exist is a named failure", async () => {
    const yaml = `image: ${scene.cluster.image}\n${small}\n`;
    await apply(`name: no-runtime\n${yaml}runtimeClass: no-such-runtime\n---\nname: no-node\n${yaml}nodeSelector: { disk: none-has-it }\n`);
    const [noRuntime, noNode] = await Promise.all(
      ["no-runtime", "no-node"].map(async (name) => scene.cli(["create", "--project", name, "--template", name])),
    );
    expect(noRuntime!.stderr).toMatch(/config-error: .*RuntimeClass "no-such-runtime" not found/);
    expect(noNode!.stderr).toMatch(/unschedulable: .*node affinity\/selector/);
  });

  it("names a runtime and nodes: what exists is where the pod runs", async () => {
    const runtime = { apiVersion: "node.k8s.io/v1", kind: "RuntimeClass", metadata: { name: scene.installation }, handler: "runc" };
    await scene.cluster.kubectl(["apply", "--server-side", "--validate=ignore", "-f", "-"], JSON.stringify(runtime));
    try {
      const where = `runtimeClass: ${scene.installation}\nnodeSelector: { kubernetes.io/os: linux }\ntolerations: [{ key: gpu, operator: Exists }]\n`;
      await apply(`name: placed\nimage: ${scene.cluster.image}\n${small}\n${where}`);
      const { pod } = await create("placed", "--template", "placed");
      expect(pod.status).toBe("running");
      expect((await deploymentOf(pod)).spec).toMatchObject({
        runtimeClassName: scene.installation,
        nodeSelector: { "kubernetes.io/os": "linux" },
        tolerations: [{ key: "gpu", operator: "Exists" }],
      });
      expect((await create("placed", "--template", "placed")).pod.differs).toEqual([]);
    } finally {
      await scene.cluster.kubectl(["delete", "runtimeclass", scene.installation]);
    }
  });

  it("is listed, printed as it was given, and deleted; a create names one that exists", async () => {
    expect((await scene.cli(["template", "ls", "py"])).stdout).toMatch(/py@2 .*\npy@1 /);
    const printed = await scene.cli(["template", "get", "py@1"]);
    expect(printed.stdout).toMatch(/^name: py\nimage: /);
    expect((await apply(printed.stdout)).stdout).toBe("py@3 saved\n");
    expect(await scene.cli(["template", "delete", "py"])).toMatchObject({ code: 0 });
    expect(await scene.cli(["template", "get", "py"])).toMatchObject({ code: 1 });
    expect(await scene.cli(["create", "--project", "none", "--template", "py"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("there is no template py") as string,
    });
    expect(await apply("name: bad\nlevel: privileged\n")).toMatchObject({ code: 2, stderr: expect.stringContaining("level") as string });
    expect(await apply("name: [")).toMatchObject({ code: 2 });
    expect(await scene.cli(["template", "apply", "-f", "/no/such/file"])).toMatchObject({ code: 2 });
  });
});
