import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useTestCluster } from "../testing.ts";
import type { TestCluster } from "../testing.ts";
import { until } from "../until.ts";
import type { KubeObject, Pod } from "./object.ts";
import { objectsIn, workload } from "./testing.ts";
import type { WorkloadChange } from "./testing.ts";
import { isPod } from "./validate.ts";

let cluster: TestCluster;
const prefix = `dv-${randomBytes(3).toString("hex")}`;
const used: string[] = [];
const main = `${prefix}-main`;
let pod: Pod;

beforeAll(async () => {
  cluster = await useTestCluster();
  await apply(main);
  pod = await ready(main);
});
afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", "--wait=false", "--ignore-not-found", ...used]);
  await cluster.stop();
});

async function apply(space: string, change: WorkloadChange = {}): Promise<void> {
  if (!used.includes(space)) used.push(space);
  const args = ["apply", "--server-side", "--force-conflicts", "--validate=ignore", "-f", "-"];
  const { code, stderr } = await cluster.kubectl(args, workload(space, cluster.image, change));
  if (code !== 0) throw new Error(stderr);
}

async function get(space: string, what: string): Promise<KubeObject[]> {
  return objectsIn((await cluster.kubectl(["get", what, "-n", space, "-o", "json"])).stdout);
}

async function ready(space: string, not?: string): Promise<Pod> {
  return until(
    `a pod is ready in ${space}`,
    async () => {
      const [deployment] = await get(space, "deployments");
      const pods = (await get(space, "pods")).filter(isPod);
      const found = pods.find(({ metadata }) => metadata.uid !== not && metadata.deletionTimestamp === undefined);
      const isSettled =
        deployment?.status?.observedGeneration === deployment?.metadata.generation && deployment?.status?.availableReplicas === 1;
      return isSettled && pods.length === 1 ? found : undefined;
    },
    { timeoutMs: 30_000, everyMs: 100 },
  );
}

const exec = (argv: readonly string[], stdin?: string): ReturnType<TestCluster["kubectl"]> =>
  cluster.kubectl(["exec", ...(stdin === undefined ? [] : ["-i"]), "-n", main, pod.metadata.name, "--", ...argv], stdin);

describe("a pod that runs", () => {
  it("is reported by Deployment, ReplicaSet and pod alike", async () => {
    const [deployment] = await get(main, "deployments");
    const [set] = await get(main, "replicasets");
    expect(deployment).toMatchObject({
      metadata: { annotations: { "deployment.kubernetes.io/revision": "1" } },
      status: {
        observedGeneration: 1,
        replicas: 1,
        updatedReplicas: 1,
        readyReplicas: 1,
        availableReplicas: 1,
        conditions: expect.arrayContaining([
          expect.objectContaining({ type: "Available", status: "True", reason: "MinimumReplicasAvailable" }),
          expect.objectContaining({ type: "Progressing", status: "True", reason: "NewReplicaSetAvailable" }),
        ]),
      },
    });
    const hash = set?.metadata.labels?.["pod-template-hash"];
    expect(set?.metadata.name).toBe(`ws-${hash}`);
    expect(set?.metadata.ownerReferences).toMatchObject([
      { kind: "Deployment", name: "ws", uid: deployment?.metadata.uid, controller: true },
    ]);
    expect(pod.metadata).toMatchObject({
      name: expect.stringMatching(new RegExp(`^ws-${hash}-[a-z0-9]{5}$`)),
      labels: { app: "ws", "pod-template-hash": hash },
      ownerReferences: [{ kind: "ReplicaSet", name: `ws-${hash}`, uid: set?.metadata.uid }],
    });
    expect(pod.status).toMatchObject({
      phase: "Running",
      qosClass: "Burstable",
      containerStatuses: [
        {
          name: "workspace",
          image: cluster.image,
          imageID: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
          containerID: expect.stringMatching(/^containerd:\/\/[0-9a-f]{64}$/),
          ready: true,
          started: true,
          restartCount: 0,
          lastState: {},
          state: { running: { startedAt: expect.any(String) } },
        },
      ],
    });
  });

  it("answers at its node port", async () => {
    const serve = "mkdir -p /workspace/www && echo hello >/workspace/www/index.html && httpd -p 8080 -h /workspace/www";
    expect(await exec(["sh", "-c", serve])).toMatchObject({ code: 0 });
    const [service] = await get(main, "services");
    const port = /"nodePort":(\d+)/.exec(JSON.stringify(service))?.[1];
    const answer = await until("the server answers", async () => (await fetch(`http://${pod.status.hostIP}:${port}/`)).text());
    expect(answer).toBe("hello\n");
  });

  it("is seen by a watch from its first event on, which ends by itself", async () => {
    const path = `/api/v1/namespaces/${main}/pods?watch=1&timeoutSeconds=1`;
    const { code, stdout } = await cluster.kubectl(["get", "--raw", path]);
    expect(code).toBe(0);
    const [first = "{}"] = stdout.split("\n");
    expect(JSON.parse(first)).toMatchObject({ type: "ADDED", object: { kind: "Pod", metadata: { uid: pod.metadata.uid } } });
  });
});

const failed = (words: string): RegExp =>
  new RegExp(
    "^error: Internal error occurred: Internal error occurred: error executing command in container: failed to exec in container: failed to " +
      `start exec "[0-9a-f]{64}": OCI runtime exec failed: exec failed: unable to start container process: exec: ${words}: unknown\n$`,
  );

const words = async (...args: string[]): Promise<string> => (await cluster.kubectl(["exec", ...args, "--", "true"])).stderr.trim();

describe("exec", () => {
  it("runs as the pod's user, in its folder, with its processes alone", async () => {
    const { stdout } = await exec([
      "sh",
      "-c",
      "id -u; id -g; pwd; hostname; cat /proc/1/cmdline | tr '\\0' ' '; echo; ls /proc | grep -c '^[0-9]'",
    ]);
    const [uid, gid, dir, host, init, count] = stdout.trim().split("\n");
    expect([uid, gid, dir, host]).toEqual(["1000", "1000", "/workspace", pod.metadata.name]);
    expect(init).toMatch(/^sh -c trap/);
    expect(Number(count)).toBeLessThan(12);
  });

  it("may write to its volume and to /tmp, and nowhere else", async () => {
    const { stdout } = await exec([
      "sh",
      "-c",
      "for f in /workspace/a /tmp/a /a /etc/a /bin/a; do (: >$f) 2>/dev/null && echo $f; done; rm -f /workspace/a",
    ]);
    expect(stdout).toBe("/workspace/a\n/tmp/a\n");
  });

  it("keeps streams, arguments and exit code as they are", async () => {
    const odd = ["a b", "'\"$(id)`id`\\", "line\nline", "*", "", "ünï"];
    const { code, stdout, stderr } = await exec(["sh", "-c", 'for a; do printf "[%s]" "$a"; done; echo err >&2; exit 7', "sh", ...odd]);
    expect(stdout).toBe(odd.map((one) => `[${one}]`).join(""));
    expect(stderr).toBe("err\ncommand terminated with exit code 7\n");
    expect(code).toBe(7);
  });

  it.each([
    ["kill -9 $$", 137],
    ["kill -TERM $$", 143],
    ["exit 255", 255],
  ])("reports the end of `%s` as %i", async (script, code) => {
    expect(await exec(["sh", "-c", script])).toMatchObject({ code, stderr: `command terminated with exit code ${code}\n` });
  });

  it("passes megabytes both ways", async () => {
    const text = randomBytes(4 * 1024 * 1024).toString("base64");
    const { stdout } = await exec(["cat"], text);
    expect(createHash("sha256").update(stdout).digest("hex")).toBe(createHash("sha256").update(text).digest("hex"));
  });

  it("ends when the last holder of its output does, not before", async () => {
    const { stdout } = await exec(["sh", "-c", "(sleep 1; echo late) & echo early"]);
    expect(stdout).toBe("early\nlate\n");
  });

  it.each<[string, string[], RegExp]>([
    ["a program that is not there", ["nope"], failed('"nope": executable file not found in \\$PATH')],
    ["a path that is not there", ["/no/such"], failed('"/no/such": stat /no/such: no such file or directory')],
    ["a file that is no program", ["/etc/passwd"], failed('"/etc/passwd": permission denied')],
  ])("says what is wrong with %s", async (_what, argv, words) => {
    const { code, stderr } = await exec(argv);
    expect(code).toBe(1);
    expect(stderr).toMatch(words);
  });

  it("says that a pod, a container or a namespace is not there", async () => {
    expect(await words("-n", main, "nope")).toBe('Error from server (NotFound): pods "nope" not found');
    expect(await words("-n", `${prefix}-none`, "nope")).toBe(`Error from server (NotFound): namespaces "${prefix}-none" not found`);
    expect(await words("-n", main, pod.metadata.name, "-c", "nope")).toContain(`container nope is not valid for pod ${pod.metadata.name}`);
  });
});

describe("a container without a shell", () => {
  it("runs, refuses a shell and what else is not there", async () => {
    const space = `${prefix}-bare`;
    await apply(space, { container: { image: cluster.imageNoShell, command: ["/pause"] } });
    const { metadata } = await ready(space);
    const { code, stderr } = await cluster.kubectl(["exec", "-n", space, metadata.name, "--", "sh", "-c", "true"]);
    expect(code).toBe(1);
    expect(stderr).toContain('exec: "sh": executable file not found in $PATH: unknown');
  });
});

describe("a change", () => {
  it("of the template replaces the pod after the old one is gone; of the replicas ends and starts it", async () => {
    const space = `${prefix}-roll`;
    await apply(space);
    const first = await ready(space);
    await apply(space, { container: { env: [{ name: "A", value: "1" }] } });
    const second = await ready(space, first.metadata.uid);
    const [deployment] = await get(space, "deployments");
    expect(deployment?.metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("2");
    await apply(space, { deployment: { replicas: 0 }, container: { env: [{ name: "A", value: "1" }] } });
    await until("no pod is left", async () => ((await get(space, "pods")).length === 0 ? true : undefined), { everyMs: 100 });
    await apply(space, { container: { env: [{ name: "A", value: "1" }] } });
    const third = await ready(space, second.metadata.uid);
    expect(third.metadata.labels).toEqual(second.metadata.labels);
  });

  it("by deleting the pod makes another at once; by killing its first process restarts it in place", async () => {
    const space = `${prefix}-again`;
    await apply(space);
    const first = await ready(space);
    await cluster.kubectl(["exec", "-n", space, first.metadata.name, "--", "sh", "-c", "echo kept >/workspace/f; kill -TERM 1"]);
    const restarted = await until(
      "it is restarted",
      async () => {
        const [one] = (await get(space, "pods")).filter(isPod);
        const status = one?.status.containerStatuses?.[0];
        return status?.restartCount === 1 && status.ready ? one : undefined;
      },
      { everyMs: 100 },
    );
    expect(restarted.metadata.uid).toBe(first.metadata.uid);
    expect(restarted.status.containerStatuses?.[0]?.lastState.terminated).toMatchObject({ exitCode: 0, reason: "Completed" });
    const { stdout } = await cluster.kubectl(["exec", "-n", space, first.metadata.name, "--", "cat", "/workspace/f"]);
    expect(stdout).toBe("kept\n");
    await cluster.kubectl(["delete", "pod", "-n", space, first.metadata.name, "--wait=false"]);
    const next = await ready(space, first.metadata.uid);
    expect((await cluster.kubectl(["exec", "-n", space, next.metadata.name, "--", "ls", "/workspace"])).stdout).toBe("");
  });
});
