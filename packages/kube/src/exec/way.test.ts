import { describe, expect, it } from "vitest";
import type { Exit, FailureKind } from "../run.ts";
import { readEnd, readOver } from "./way.ts";

const none = Buffer.alloc(0);
const exit = (code: number | null, signal: string | null = null): Exit => ({ kind: "exit", code, signal, stdout: none, stderr: none });

describe("the end of a kubectl exec", () => {
  const noSh =
    'error: Internal error occurred: error executing command in container: failed to exec in container: exec: "sh": executable file not found in $PATH: unknown';

  it.each<[string, number, string, object]>([
    ["no sh, said by the API server", 1, noSh, { kind: "no-shell" }],
    ["a wrong container", 1, "Error from server (BadRequest): container nope is not valid for pod x", { kind: "down" }],
    ["a wrong container, by a newer kubectl", 1, "error: container nope is not valid for pod x", { kind: "down" }],
    ["a bad token", 1, "error: You must be logged in to the server (Unauthorized)", { kind: "barred", code: "forbidden" }],
    [
      "no way to the API server",
      1,
      "Unable to connect to the server: dial tcp: i/o timeout",
      { kind: "down", code: "cluster-unreachable", untold: true },
    ],
    ["a request that is too large", 1, "error: unable to upgrade connection: 431 Request Header Fields Too Large", { kind: "down" }],
    ["a success that was cut off", 1, "error: error reading from error stream: next reader: websocket: close 1005", { kind: "down" }],
    ["the command's own words, copied by a command", 0, "command terminated with exit code 0", { kind: "down" }],
    ["no such pod", 1, 'Error from server (NotFound): pods "x" not found', { kind: "gone" }],
    ["no such namespace", 1, 'Error from server (NotFound): namespaces "x" not found', { kind: "gone" }],
    ["a completed pod", 1, "error: cannot exec into a container in a completed pod; current phase is Failed", { kind: "gone" }],
    ["a container that is not up", 1, 'error: unable to upgrade connection: container not found ("workspace")', { kind: "not-running" }],
    ["a pod without a host", 1, "Error from server (BadRequest): pod x does not have a host assigned", { kind: "not-running" }],
    [
      "an image without sh",
      1,
      'OCI runtime exec failed: exec failed: unable to start container process: exec: "sh": executable file not found in $PATH: unknown',
      { kind: "no-shell" },
    ],
    [
      "no right",
      1,
      'Error from server (Forbidden): pods "x" is forbidden: User "u" cannot create resource "pods/exec"',
      { kind: "barred", code: "forbidden" },
    ],
    ["no kubectl", 127, "sh: kubectl: not found", { kind: "barred", code: "kubectl-missing" }],
    [
      "no API server",
      1,
      "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?",
      { kind: "down", code: "cluster-unreachable" },
    ],
    [
      "a cut WebSocket",
      1,
      "error: error reading from error stream: next reader: websocket: close 1006 (abnormal closure): unexpected EOF",
      { kind: "down", code: "cluster-unreachable" },
    ],
    ["a killed container runtime: 0, and not a word", 0, "", { kind: "down", code: "cluster-unreachable" }],
    ["a killed container, or a killed shell", 137, "command terminated with exit code 137", { kind: "down" }],
  ])("trap: is no exit code of the command, but says: %s", (_what, code, stderr, obstacle) => {
    expect(readEnd(exit(code), stderr)).toMatchObject(obstacle);
  });

  it.each<[FailureKind, object]>([
    ["unavailable", { kind: "down", code: "host-unreachable" }],
    ["not-started", { kind: "down", code: "host-unreachable" }],
    ["unknown", { kind: "down", code: "host-unreachable" }],
    ["timeout", { kind: "down", code: "cluster-unreachable" }],
    ["host-key", { kind: "barred", code: "host-key-mismatch" }],
    ["auth", { kind: "barred", code: "host-auth-failed" }],
  ])("by the host: %s", (kind, obstacle) => {
    expect(readEnd({ kind, message: "m", stdout: none, stderr: none }, "")).toMatchObject(obstacle);
  });
});

describe("the end of a session", () => {
  it("by silence, garbage or our own hand is a way that is down", () => {
    for (const kind of ["silent", "garbage", "closed"] as const)
      expect(readOver({ kind, detail: "d", wrote: true })).toMatchObject({ kind: "down", message: expect.stringContaining("d") });
  });

  it("at the greeting, for want of a place, is a journal that is not there", () => {
    expect(readOver({ kind: "refused", why: "nodir", wrote: false })).toMatchObject({ kind: "no-journal" });
  });
});
