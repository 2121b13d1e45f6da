import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useTestCluster } from "../testing.ts";
import type { TestCluster } from "../testing.ts";
import { until } from "../until.ts";
import { objectsIn, workload } from "./testing.ts";
import type { WorkloadChange } from "./testing.ts";

let cluster: TestCluster;
const prefix = `dv-${randomBytes(3).toString("hex")}`;
const used: string[] = [];

beforeAll(async () => {
  cluster = await useTestCluster();
});
afterAll(async () => {
  if (used.length > 0) await cluster.kubectl(["delete", "namespace", "--wait=false", "--ignore-not-found", ...used]);
  await cluster.stop();
});

function namespace(name: string): string {
  used.push(`${prefix}-${name}`);
  return `${prefix}-${name}`;
}

const APPLY = ["apply", "--server-side", "--field-manager=podq", "--force-conflicts", "--validate=ignore", "-o", "json", "-f", "-"];

async function apply(space: string, change: WorkloadChange = {}): Promise<{ code: number; stdout: string; stderr: string }> {
  return cluster.kubectl(APPLY, workload(space, cluster.image, { ...change, deployment: { replicas: 0, ...change.deployment } }));
}

async function get(...args: string[]): Promise<ReturnType<typeof objectsIn>> {
  const { code, stdout, stderr } = await cluster.kubectl(["get", "-o", "json", ...args]);
  if (code !== 0) throw new Error(stderr);
  return objectsIn(stdout);
}

const words = async (...args: string[]): Promise<string> => (await cluster.kubectl(args)).stderr.trim();

const names = async (...args: string[]): Promise<string[]> => (await get(...args)).map(({ metadata }) => metadata.name);

describe("apply", () => {
  it("makes what is missing and prints it with what the server adds", async () => {
    const space = namespace("new");
    const { code, stdout } = await apply(space);
    expect(code).toBe(0);
    const [made, deployment, service] = objectsIn(stdout);
    expect(made).toMatchObject({
      kind: "Namespace",
      metadata: { labels: { "kubernetes.io/metadata.name": space } },
      status: { phase: "Active" },
    });
    expect(deployment).toMatchObject({
      kind: "Deployment",
      metadata: { generation: 1, uid: expect.stringMatching(/^[0-9a-f-]{36}$/), resourceVersion: expect.stringMatching(/^\d+$/) },
      spec: {
        progressDeadlineSeconds: 600,
        revisionHistoryLimit: 10,
        template: { spec: { dnsPolicy: "ClusterFirst", restartPolicy: "Always", containers: [{ terminationMessagePolicy: "File" }] } },
      },
    });
    expect(service).toMatchObject({
      kind: "Service",
      spec: { externalTrafficPolicy: "Cluster", ports: [{ protocol: "TCP", port: 8080 }] },
    });
    const ports: unknown = service?.spec?.ports;
    expect(ports).toMatchObject([{ nodePort: expect.closeTo(31_383, -4) }]);
  });

  it("changes nothing the second time", async () => {
    const space = namespace("again");
    await apply(space);
    // Controllers write their part after the first time; then it must stay.
    await until("the controller has seen it", async () => {
      const [one] = await get("deployment", "ws", "-n", space);
      return one?.status?.observedGeneration === 1 && one.metadata.annotations ? true : undefined;
    });
    const before = await get("deployment,service", "-n", space);
    expect((await apply(space)).code).toBe(0);
    expect(await get("deployment,service", "-n", space)).toEqual(before);
  });

  it("keeps what others own, drops what it applies no more, and keeps the node port", async () => {
    const space = namespace("merge");
    const before = objectsIn(
      (
        await apply(space, {
          container: {
            env: [
              { name: "A", value: "1" },
              { name: "B", value: "2" },
            ],
          },
        })
      ).stdout,
    );
    await cluster.kubectl(["annotate", "deployment", "ws", "-n", space, "mine=kept"]);
    const after = objectsIn((await apply(space, { container: { env: [{ name: "B", value: "3" }] } })).stdout);
    expect(after[1]).toMatchObject({
      metadata: { annotations: { mine: "kept" }, generation: 3 },
      spec: { template: { spec: { containers: [{ env: [{ name: "B", value: "3" }] }] } } },
    });
    expect(after[2]?.spec).toEqual(before[2]?.spec);
  });

  it.each<[string, WorkloadChange, RegExp]>([
    [
      "an unknown field",
      { deployment: { replicaz: 1 } },
      /^Error from server: failed to create typed patch object \(\S+\/ws; apps\/v1, Kind=Deployment\): \.spec\.replicaz: field not declared in schema$/m,
    ],
    ["a wrong type", { deployment: { replicas: "one" } }, /\.spec\.replicas: expected numeric \(int or float\), got string$/m],
    [
      "a quantity that is none",
      { container: { resources: { limits: { memory: "lots" } } } },
      /quantities must match the regular expression/,
    ],
    [
      "a selector that selects nothing of its own",
      { deployment: { selector: { matchLabels: { x: "y" } } } },
      /^The Deployment "ws" is invalid: spec.template.metadata.labels: Invalid value: \{"app":"ws"\}: `selector` does not match template `labels`$/m,
    ],
    [
      "more requested than allowed",
      { container: { resources: { limits: { memory: "1Mi" }, requests: { memory: "1Gi" } } } },
      /spec.template.spec.containers\[0\].resources.requests: Invalid value: "1Gi": must be less than or equal to memory limit of 1Mi/,
    ],
    ["no image", { container: { image: "" } }, /spec.template.spec.containers\[0\].image: Required value/],
    [
      "a mount without its volume",
      { container: { volumeMounts: [{ name: "zz", mountPath: "/z" }] } },
      /spec.template.spec.containers\[0\].volumeMounts\[0\].name: Not found: "zz"/,
    ],
    [
      "a node port out of range",
      { servicePort: { nodePort: 80 } },
      /^The Service "ws" is invalid: spec.ports\[0\].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767$/m,
    ],
  ])("refuses %s in the server's words, and applies the rest", async (_what, change, words) => {
    const space = namespace(`bad${used.length}`);
    const { code, stderr } = await apply(space, change);
    expect(code).toBe(1);
    expect(stderr).toMatch(words);
    expect(await get("namespace", space)).toHaveLength(1);
  });

  it("refuses to change a selector, and a node port that is taken", async () => {
    const space = namespace("fixed");
    const made = objectsIn((await apply(space)).stdout);
    const ports: unknown = made[2]?.spec?.ports;
    const nodePort = JSON.stringify(ports).match(/"nodePort":(\d+)/)?.[1];
    const immutable = await apply(space, { deployment: { selector: { matchLabels: { app: "ws", x: "y" } } } });
    expect(immutable.stderr).toContain('spec.selector: Invalid value: {"matchLabels":{"app":"ws","x":"y"}}: field is immutable');
    const taken = await apply(namespace("taken"), { servicePort: { nodePort: Number(nodePort) } });
    expect(taken.stderr).toContain(
      `The Service "ws" is invalid: spec.ports[0].nodePort: Invalid value: ${nodePort}: provided port is already allocated`,
    );
  });

  it("says that a namespace is missing", async () => {
    const line = workload(`${prefix}-none`, cluster.image).split("\n")[1];
    expect(await cluster.kubectl(APPLY, line)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`namespaces "${prefix}-none" not found`),
    });
  });
});

describe("reading", () => {
  it("says in the server's words what is not there", async () => {
    const space = namespace("read");
    await apply(space);
    expect(await words("get", "deployment", "nope", "-n", space)).toBe('Error from server (NotFound): deployments.apps "nope" not found');
    expect(await words("get", "pods", "nope", "-n", `${prefix}-none`)).toBe(
      `Error from server (NotFound): namespaces "${prefix}-none" not found`,
    );
    expect(await words("get", "nonsense")).toBe('error: the server doesn\'t have a resource type "nonsense"');
    expect(await words("get", "--raw", `/apis/apps/v1/namespaces/${space}/nonsense`)).toContain(
      "the server could not find the requested resource",
    );
    expect(await words("get", "pods", "-n", space, "--field-selector", "metadata.nope=x")).toContain(
      "field label not supported: metadata.nope",
    );
  });

  it("selects by labels and fields, in one namespace and in all", async () => {
    const space = namespace("select");
    await apply(space, { namespaceLabels: { round: prefix } });
    expect(await names("namespaces", "-l", `round=${prefix},suite in (devstack,other),!absent`)).toEqual([space]);
    expect(await names("deployments", "-A", "-l", "app=ws", "--field-selector", `metadata.namespace=${space}`)).toEqual(["ws"]);
    expect(await names("services", "-n", space, "-l", "app!=ws")).toEqual([]);
    expect(await names("services", "-n", space, "--field-selector", "metadata.name=ws")).toEqual(["ws"]);
  });
});

const remove = (path: string, uid?: string): Promise<{ code: number; stdout: string; stderr: string }> => {
  const options = { kind: "DeleteOptions", apiVersion: "v1", ...(uid ? { preconditions: { uid } } : {}) };
  return cluster.kubectl(["delete", "--raw", path, "-f", "-"], JSON.stringify(options));
};

describe("delete --raw with a uid as its precondition", () => {
  it("refuses a Deployment and a namespace that are others now", async () => {
    const space = namespace("uid");
    const [made, deployment] = objectsIn((await apply(space)).stdout);
    expect((await remove(`/apis/apps/v1/namespaces/${space}/deployments/ws`, "other")).stderr.trim()).toBe(
      'Error from server (Conflict): Operation cannot be fulfilled on Deployment.apps "ws": the UID in the precondition (other) does not match the ' +
        `UID in record (${deployment?.metadata.uid}). The object might have been deleted and then recreated`,
    );
    expect((await remove(`/api/v1/namespaces/${space}`, "other")).stderr.trim()).toBe(
      `Error from server (Conflict): Operation cannot be fulfilled on namespaces "${space}": Precondition failed: UID in precondition: other, ` +
        `UID in object meta: ${made?.metadata.uid}`,
    );
  });

  it("deletes what it names, and says what that was", async () => {
    const space = namespace("gone");
    const [made, deployment] = objectsIn((await apply(space)).stdout);
    const { uid = "" } = deployment?.metadata ?? {};
    const answer = await remove(`/apis/apps/v1/namespaces/${space}/deployments/ws`, uid);
    expect(JSON.parse(answer.stdout)).toMatchObject({
      kind: "Status",
      status: "Success",
      details: { name: "ws", group: "apps", kind: "deployments", uid },
    });
    expect((await remove(`/apis/apps/v1/namespaces/${space}/deployments/ws`, uid)).stderr).toContain('deployments.apps "ws" not found');
    const space2 = await remove(`/api/v1/namespaces/${space}`, made?.metadata.uid);
    expect(JSON.parse(space2.stdout)).toMatchObject({
      kind: "Namespace",
      metadata: { deletionTimestamp: expect.any(String) },
      status: { phase: "Terminating" },
    });
  });
});

describe("a namespace that is terminating", () => {
  it("takes changes, refuses new objects once it is empty, and goes with all that is in it", async () => {
    const space = namespace("term");
    await apply(space);
    await cluster.kubectl([
      "patch",
      "service",
      "ws",
      "-n",
      space,
      "--type=merge",
      "-p",
      '{"metadata":{"finalizers":["example.com/hold"]}}',
    ]);
    await cluster.kubectl(["delete", "namespace", space, "--wait=false"]);
    const early = await apply(space);
    expect(early).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`Detected changes to resource ${space} which is currently being deleted`),
    });
    expect(objectsIn(early.stdout)[0]).toMatchObject({
      metadata: { deletionTimestamp: expect.any(String) },
      status: { phase: "Terminating" },
    });
    await until("its Deployment is gone", async () => ((await get("deployments", "-n", space)).length === 0 ? true : undefined), {
      everyMs: 200,
    });
    const late = await apply(space);
    expect(late.code).toBe(1);
    expect(late.stderr).toContain(
      `deployments.apps "ws" is forbidden: unable to create new content in namespace ${space} because it is being terminated`,
    );
    // A real cluster says it at the namespace controller's next look.
    const holds = async (): Promise<boolean> =>
      (await cluster.kubectl(["get", "namespace", space, "-o", "jsonpath={.status.conditions[*].status}"])).stdout.includes("True");
    await until("it says what holds it", async () => ((await holds()) ? true : undefined), { everyMs: 200 });
    const [held] = await get("namespace", space);
    expect(held?.status?.conditions).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          type: "NamespaceContentRemaining",
          status: "True",
          message: expect.stringContaining("services. has 1 resource instances"),
        }),
        expect.objectContaining({
          type: "NamespaceFinalizersRemaining",
          status: "True",
          message: expect.stringContaining("example.com/hold in 1 resource instances"),
        }),
      ]),
    );
    await cluster.kubectl(["patch", "service", "ws", "-n", space, "--type=merge", "-p", '{"metadata":{"finalizers":null}}']);
    await until("it is gone", async () => ((await cluster.kubectl(["get", "namespace", space])).code === 1 ? true : undefined), {
      everyMs: 200,
    });
  });
});
