import { describe, expect, it } from "vitest";
import { createKubectl, exitError, failureError } from "./kubectl.ts";
import type { Exit, FailureKind } from "./run.ts";
import { failure, scriptedHost } from "./scripted.ts";

const said = (stderr: string, code = 1): Exit => ({
  kind: "exit",
  code,
  signal: null,
  stdout: Buffer.alloc(0),
  stderr: Buffer.from(stderr),
});
const bounds = () => ({ until: performance.now() + 5_000 });
const saying = (exit: Partial<Exit>) => createKubectl(scriptedHost(() => exit));

describe("exitError", () => {
  it.each([
    [
      'Error from server (Forbidden): deployments.apps "w" is forbidden: unable to create new content in namespace n because it is being terminated',
      "namespace-terminating",
    ],
    [
      'Error from server (Forbidden): deployments.apps "w" is forbidden: exceeded quota: q, requested: count/deployments.apps=1, used: 0, limited: 0',
      "quota-exceeded",
    ],
    ['Error from server (Forbidden): error when creating "STDIN": admission webhook "x" denied the request: no', "policy-violation"],
    [
      'Error from server (Forbidden): namespaces is forbidden: User "podq-limited" cannot list resource "namespaces" in API group "" at the cluster scope',
      "forbidden",
    ],
    ["error: You must be logged in to the server (Unauthorized)", "forbidden"],
    ["Error from server (InternalError): Internal error occurred: failed to allocate a nodePort: range is full", "node-port-exhausted"],
    ['The Service "w" is invalid: spec.ports[0].nodePort: Invalid value: 30002: provided port is already allocated', "node-port-exhausted"],
    [
      'Error from server (InternalError): Internal error occurred: failed calling webhook "x": connect: connection refused',
      "cluster-unreachable",
    ],
    ['The Deployment "w" is invalid: spec.template.spec.containers[0].env[0].name: Invalid value: "a=b"', "invalid-request"],
    [
      "Error from server: failed to create typed patch object (n/w; apps/v1, Kind=Deployment): .spec.replicaz: field not declared in schema",
      "invalid-request",
    ],
    ["The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?", "cluster-unreachable"],
    ["Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout", "cluster-unreachable"],
    ["Unable to connect to the server: tls: failed to verify certificate: x509: certificate has expired", "cluster-unreachable"],
    ["Error from server (ServiceUnavailable): apiserver is shutting down", "cluster-unreachable"],
    ["Error from server: etcdserver: request timed out", "cluster-unreachable"],
    ["error: stat /home/podq/.kube/config: no such file or directory", "cluster-unreachable"],
    ["error: EOF", "forbidden"],
    ['Get "https://10.0.0.1:6443/api": EOF', "cluster-unreachable"],
    ["error: something that was never seen", "internal"],
  ])("reads %j as %s", (stderr, code) => {
    expect(exitError(said(stderr))).toMatchObject({ code, message: stderr });
  });

  it("leaves kubectl's log lines and the server's warnings out of the message", () => {
    const stderr = [
      'E1123 08:57:57.791191   21131 memcache.go:265] "Unhandled Error" err="couldn\'t get current server API group list"',
      "Warning: would violate PodSecurity",
      "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
    ].join("\n");
    expect(exitError(said(stderr)).message).toBe(
      "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
    );
  });

  it("knows a host without kubectl by the shell's exit code, whatever the shell's words", () => {
    expect(exitError(said("bash: line 1: kubectl: command not found", 127))).toMatchObject({ code: "kubectl-missing" });
    expect(exitError(said("sh: kubectl: Permission denied", 126))).toMatchObject({ code: "kubectl-missing" });
  });

  it("does not take a kubectl that was killed on the host for an answer of the cluster", () => {
    expect(exitError({ code: null, signal: "KILL", stderr: Buffer.from("") })).toMatchObject({ code: "host-unreachable" });
  });
});

describe("failureError", () => {
  it.each<[FailureKind, string]>([
    ["not-started", "host-unreachable"],
    ["unknown", "host-unreachable"],
    ["unavailable", "host-unreachable"],
    ["closed", "host-unreachable"],
    ["timeout", "cluster-unreachable"],
    ["aborted", "cancelled"],
    ["host-key", "host-key-mismatch"],
    ["auth", "host-auth-failed"],
  ])("calls %s %s", (kind, code) => {
    expect(failureError(failure(kind))).toMatchObject({ name: "KubeError", code });
  });
});

describe("a call", () => {
  it("is the given beginning, then the arguments, and what is sent goes through stdin alone", async () => {
    const host = scriptedHost(() => ({ stdout: Buffer.from('{"items":[]}') }));
    const kubectl = createKubectl({ ...host, kubectl: ["kubectl", "--kubeconfig=x"] });
    await kubectl.json(["apply", "-f", "-"], bounds(), "secret");
    expect(host.runs).toMatchObject([{ argv: ["kubectl", "--kubeconfig=x", "apply", "-f", "-"], options: { stdin: "secret" } }]);
  });

  it("has no more time than its operation, and never as much as half a minute even if that has hours", async () => {
    const host = scriptedHost(() => ({ stdout: Buffer.from("{}") }));
    const kubectl = createKubectl(host);
    await kubectl.getRaw("/a", { until: performance.now() + 1_000 });
    await kubectl.getRaw("/a", { until: performance.now() + 3_600_000 });
    const [short, long] = host.runs.map(({ options }) => options.timeoutMs!);
    expect(short).toBeLessThanOrEqual(1_000);
    expect(short).toBeGreaterThan(0);
    expect(long).toBe(30_000);
  });

  it("does not take an answer that is cut off for one", async () => {
    await expect(saying({ stdout: Buffer.from('{"items":[') }).getRaw("/a", bounds())).rejects.toMatchObject({ code: "internal" });
  });

  it("that finds nothing is no failure", async () => {
    const nothing = said('Error from server (NotFound): namespaces "n" not found');
    expect(await saying(nothing).getRaw("/api/v1/namespaces/n", bounds())).toBeUndefined();
    expect(await saying(nothing).deleteRaw("/api/v1/namespaces/n", "u", bounds())).toBe("absent");
  });
});

describe("deleteRaw", () => {
  it("makes the uid a condition, in the body", async () => {
    const host = scriptedHost(() => ({ stdout: Buffer.from("{}") }));
    expect(await createKubectl(host).deleteRaw("/api/v1/namespaces/n", "the-uid", bounds())).toBe("deleted");
    expect(host.runs[0]!.argv).toEqual(["kubectl", "delete", "--raw", "/api/v1/namespaces/n", "-f", "-"]);
    expect(JSON.parse(host.runs[0]!.options.stdin as string)).toMatchObject({ kind: "DeleteOptions", preconditions: { uid: "the-uid" } });
  });

  it.each([
    [
      'Error from server (Conflict): Operation cannot be fulfilled on namespaces "n": Precondition failed: UID in precondition: a, UID in object meta: b',
      "other",
    ],
    [
      'Error from server (Conflict): Operation cannot be fulfilled on Deployment.apps "w": the UID in the precondition (a) does not match the UID in record (b). The object might have been deleted and then recreated',
      "other",
    ],
    [
      'Error from server (Conflict): Operation cannot be fulfilled on namespaces "n": The system is ensuring all content is removed from this namespace.',
      "deleted",
    ],
  ])("reads %j as %s", async (stderr, what) => {
    expect(await saying(said(stderr)).deleteRaw("/x", "a", bounds())).toBe(what);
  });

  it("does not take any other conflict for an answer", async () => {
    await expect(saying(said("Error from server (Conflict): the object has been modified")).deleteRaw("/x", "a", bounds())).rejects.toThrow(
      "modified",
    );
  });
});
