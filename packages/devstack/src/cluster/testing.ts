import type { Container, JsonMap, KubeObject, PodSpec } from "./object.ts";

/** What a test changes of the objects that `workload` makes. */
export type WorkloadChange = {
  namespaceLabels?: Record<string, string>;
  deployment?: JsonMap;
  pod?: Partial<PodSpec>;
  container?: Partial<Container>;
  servicePort?: JsonMap;
};

/** The command of a PID 1 that waits and ends on TERM. */
const WAIT = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"];

/** A namespace with a Deployment `ws` of one small pod and a Service, as a test applies them: one JSON document a line. */
export function workload(namespace: string, image: string, change: WorkloadChange = {}): string {
  const labels = { app: "ws" };
  const container = {
    name: "workspace",
    image,
    imagePullPolicy: "IfNotPresent",
    command: WAIT,
    workingDir: "/workspace",
    resources: { limits: { memory: "64Mi", cpu: "200m" }, requests: { memory: "10Mi", cpu: "5m" } },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
    volumeMounts: [{ name: "workspace", mountPath: "/workspace" }],
    ...change.container,
  };
  const spec = {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 2,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, seccompProfile: { type: "RuntimeDefault" } },
    containers: [container],
    volumes: [{ name: "workspace", emptyDir: {} }],
    ...change.pod,
  };
  const deployment = {
    replicas: 1,
    minReadySeconds: 1,
    strategy: { type: "Recreate" },
    selector: { matchLabels: labels },
    ...change.deployment,
  };
  const ports = [{ name: "http", port: 8080, targetPort: 8080, ...change.servicePort }];
  const objects = [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels: { suite: "devstack", ...change.namespaceLabels } } },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "ws", namespace, labels },
      spec: { ...deployment, template: { metadata: { labels }, spec } },
    },
    { apiVersion: "v1", kind: "Service", metadata: { name: "ws", namespace, labels }, spec: { type: "NodePort", selector: labels, ports } },
  ];
  return objects.map((one) => JSON.stringify(one)).join("\n");
}

/** The objects in what kubectl printed with `-o json`. */
export function objectsIn(stdout: string): KubeObject[] {
  const parsed: KubeObject & { items?: KubeObject[] } = JSON.parse(stdout);
  return parsed.items ?? [parsed];
}
