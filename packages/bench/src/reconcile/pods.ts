import type { EmbeddedCluster } from "@podq/devstack";
import { podNames, type PodIdentity } from "@podq/kube";
import type { Store } from "@podq/store";
import { BenchError } from "../errors.ts";

/** The installation that the bench's pods are of, and the host that their records name. */
export const installation = "bench";
export const host = { name: "default", address: "127.0.0.1", port: 22, username: "bench" };

const resources = { memory: "8Mi", cpu: "2m", memoryRequests: "1Mi", cpuRequests: "1m" };
const image = "localhost/workspace:1";
const atOnce = 32;

/** The names of the n-th pod. */
function namesOf(n: number): PodIdentity {
  return podNames({ installation, kind: "project", id: `p${n}`, name: "default", generation: 1 });
}

type Seen = {
  metadata: { namespace: string; name: string; uid: string };
  status: { containerStatuses?: [{ state: { running?: { startedAt: string } } }] };
};

/** Makes pods from the first number to the one before the last, past kubectl, and their records as a create leaves them. */
export async function makePods(cluster: EmbeddedCluster, store: Store, from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, n) => from + n);
  await each(numbers, async (n) => {
    const identity = namesOf(n);
    const labels = {
      "app.kubernetes.io/managed-by": "podq",
      "podq.dev/installation": installation,
      "podq.dev/pod": identity.hash,
      "podq.dev/generation": "1",
    };
    await send(cluster, "POST", "/api/v1/namespaces", {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: identity.namespace, labels },
    });
    await send(cluster, "POST", `/apis/apps/v1/namespaces/${identity.namespace}/deployments`, deployment(identity, labels));
  });
  const running = async (): Promise<Seen[]> => {
    const { items } = (await send(cluster, "GET", "/api/v1/pods")) as { items: Seen[] };
    return items.filter(({ status }) => status.containerStatuses?.[0].state.running !== undefined);
  };
  const giveUpAt = performance.now() + 300_000;
  let pods = await running();
  while (pods.length < to) {
    if (performance.now() > giveUpAt) throw new BenchError("wrong-result", `${pods.length} of ${to} pods run`);
    pods = await running();
  }
  const byNamespace = new Map(pods.map((pod) => [pod.metadata.namespace, pod]));
  await each(numbers, async (n) => {
    const identity = namesOf(n);
    const { metadata, status } = byNamespace.get(identity.namespace)!;
    const owner = { project: identity.id };
    const common = { owner, name: "default", generation: 1, namespace: identity.namespace, identity, image, resources, labels: {}, host };
    const made = (await store.pods.insert(`project/${identity.id}/default`, common))!;
    const startedAt = new Date(status.containerStatuses![0].state.running!.startedAt);
    await store.pods.patch(made, { status: "running", namespaceUid: "known", podName: metadata.name, podUid: metadata.uid, startedAt });
  });
}

/** Scales some pods to 0 or to 1, as somebody would who does not ask podq. */
export async function scale(cluster: EmbeddedCluster, numbers: readonly number[], replicas: number): Promise<void> {
  await each(numbers, async (n) => {
    const { namespace, deployment } = namesOf(n);
    await send(cluster, "PATCH", `/apis/apps/v1/namespaces/${namespace}/deployments/${deployment}`, { spec: { replicas } });
  });
}

function deployment({ deployment: name, namespace }: PodIdentity, labels: Record<string, string>): object {
  const { memory, cpu } = resources;
  const container = {
    name: "workspace",
    image,
    command: ["sleep", "infinity"],
    resources: { limits: { memory, cpu }, requests: { memory: "1Mi", cpu: "1m" } },
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace, labels },
    spec: {
      replicas: 1,
      strategy: { type: "Recreate" },
      selector: { matchLabels: labels },
      template: { metadata: { labels, annotations: { "podq.dev/start": "1" } }, spec: { containers: [container] } },
    },
  };
}

async function send({ url }: EmbeddedCluster, method: string, path: string, body?: object): Promise<unknown> {
  const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
  const sent = await fetch(url + path, { method, headers: { "content-type": type }, ...(body && { body: JSON.stringify(body) }) });
  if (!sent.ok) throw new BenchError("wrong-result", `${method} ${path}: ${sent.status} ${await sent.text()}`);
  return sent.json();
}

async function each(numbers: readonly number[], work: (n: number) => Promise<void>): Promise<void> {
  const left = [...numbers];
  const next = async (): Promise<void> => {
    for (let n = left.shift(); n !== undefined; n = left.shift()) await work(n);
  };
  await Promise.all(Array.from({ length: atOnce }, next));
}
