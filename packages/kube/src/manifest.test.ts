import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { manifest } from "./manifest.ts";
import type { PodSpec } from "./manifest.ts";
import { podNames } from "./names.ts";
import type { Deployment } from "./objects.ts";

const identity = podNames({ installation: "podq", kind: "project", id: "p1", name: "default", generation: 3 });
const resources = { memory: "200Mi", cpu: "200m", memoryRequests: "100Mi", cpuRequests: "100m" };

function made(spec: Partial<PodSpec> = {}) {
  const options = { start: "s1", progressDeadlineSeconds: 55 };
  const made = { kind: "Service", spec: {} };
  const [namespace, policy, deployment, service] = manifest(identity, { image: "busybox", resources, ...spec }, options, made);
  const { template } = (deployment as Deployment).spec;
  return { namespace, policy, deployment, service, template, pod: template.spec, container: template.spec.containers[0]! };
}

// How the kubelet expands commands and environment values (k8s.io/kubernetes third_party/forked/golang/expansion).
function expand(text: string): string {
  return text.replaceAll(/\$(?:(\$)|\(([^)]*)\))/g, (_, dollar?: string) => (dollar === undefined ? "expanded!" : "$"));
}

describe("manifest", () => {
  it("puts the namespace first, for the others need it, and the fence before what runs in it", () => {
    const { namespace, policy, deployment, service } = made();
    const kinds = [{ kind: "Namespace" }, { kind: "NetworkPolicy" }, { kind: "Deployment" }, { kind: "Service" }];
    expect([namespace, policy, deployment, service]).toMatchObject(kinds);
  });

  it("is restricted by the namespace and by the pod itself", () => {
    const { namespace, pod, container } = made();
    expect(namespace).toMatchObject({
      metadata: {
        labels: { "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest" },
      },
    });
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, seccompProfile: { type: "RuntimeDefault" } },
    });
    expect(container).toMatchObject({ securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } } });
  });

  it("at the level baseline, which is on the namespace too, allows root and sudo, and nothing of the host", () => {
    const { namespace, pod, container } = made({ level: "baseline", user: 0 });
    expect(namespace).toMatchObject({ metadata: { labels: { "pod-security.kubernetes.io/enforce": "baseline" } } });
    expect(pod.securityContext).toEqual({ runAsUser: 0, runAsGroup: 0, fsGroup: 0, seccompProfile: { type: "RuntimeDefault" } });
    expect(container.securityContext).toEqual({ allowPrivilegeEscalation: true });
    expect(pod).toMatchObject({ automountServiceAccountToken: false });
  });

  it("says by which runtime it runs and on which nodes, where that is asked for and only then", () => {
    const asked = { runtimeClass: "gvisor", nodeSelector: { disk: "ssd" }, tolerations: [{ key: "gpu", operator: "Exists" }] };
    const { runtimeClass: runtimeClassName, ...rest } = asked;
    expect(made(asked).pod).toMatchObject({ runtimeClassName, ...rest });
    for (const field of ["runtimeClassName", "nodeSelector", "tolerations"]) expect(made().pod).not.toHaveProperty(field);
  });

  it("uses one number for uid, gid and fsGroup", () => {
    expect(made({ user: 33333 }).pod.securityContext).toMatchObject({ runAsUser: 33333, runAsGroup: 33333, fsGroup: 33333 });
  });

  it("waits as PID 1 unless a command is given, and leaves the image's own alone when asked for it", () => {
    expect(made().container.command).toEqual(["sh", "-c", expect.stringContaining('trap "exit 0" TERM')]);
    expect(made({ command: ["/server", "-p", "8080"] }).container.command).toEqual(["/server", "-p", "8080"]);
    expect(made({ command: "image" }).container).not.toHaveProperty("command");
  });

  it("hands on environment and command as they were written: the kubelet's expansion is undone", () => {
    expect(made({ env: { A: "$(B) $$ $C", B: "x" } }).container.env).toEqual([
      { name: "A", value: "$$(B) $$$$ $C" },
      { name: "B", value: "x" },
    ]);
    const dollars = fc.string({ unit: fc.constantFrom("$", "(", ")", "A", " ") });
    fc.assert(
      fc.property(dollars, (text) => {
        const { container } = made({ env: { A: text }, command: [text] });
        expect(expand(container.env![0]!.value!)).toBe(text);
        expect(expand(container.command![0]!)).toBe(text);
      }),
    );
  });

  it("bounds the workspace's disk, and has a disk of its own for the journal", () => {
    expect(made().pod.volumes).toMatchObject([
      { name: "workspace", emptyDir: { sizeLimit: "10Gi" } },
      { name: "podq", emptyDir: { sizeLimit: "1Gi" } },
    ]);
    expect(made({ storage: "1Gi" }).pod.volumes![0]!.emptyDir!.sizeLimit).toBe("1Gi");
  });

  it("lets the caller's labels stand on the pod but not on the namespace, and never over podq's own", () => {
    const { namespace, template } = made({ labels: { team: "a", "podq.dev/pod": "forged" } });
    expect(template.metadata!.labels).toMatchObject({ team: "a", "podq.dev/pod": identity.hash });
    expect(namespace).not.toHaveProperty("metadata.labels.team");
  });

  it("says in the template which start it is, so that a pod of an earlier start is known as such", () => {
    expect(made().template.metadata!.annotations).toMatchObject({ "podq.dev/start": "s1", "podq.dev/id": "p1" });
  });

  it("replaces rather than overlaps, and counts as available only what stays ready", () => {
    expect(made().deployment).toMatchObject({
      spec: { replicas: 1, strategy: { type: "Recreate" }, minReadySeconds: 2, progressDeadlineSeconds: 55 },
    });
  });
});
