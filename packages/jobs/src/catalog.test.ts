import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { kinds, parseRequest, payloadJsonSchema, type Kind } from "./catalog.ts";
import { RequestError } from "./errors.ts";
import { podKey } from "./owner.ts";

const owner = { project: "p1" };
const refused = (kind: Kind, payload: unknown): RequestError => {
  try {
    parseRequest(kind, payload);
  } catch (error) {
    if (error instanceof RequestError) return error;
    throw error;
  }
  throw new Error("it was taken");
};

describe("a request", () => {
  it("has the documented defaults", () => {
    expect(parseRequest("create", { owner })).toEqual({
      kind: "create",
      owner,
      name: "default",
      params: {
        image: "gitpod/workspace-full:latest",
        resources: { memory: "200Mi", cpu: "200m", memoryRequests: "100Mi", cpuRequests: "100m" },
        env: {},
        user: 1000,
        storage: "10Gi",
        timeoutMs: 300_000,
      },
      stdin: null,
      idempotencyKey: null,
      callback: null,
      deadlineMs: 86_400_000,
      maxAttempts: 25,
      labels: {},
    });
    expect(parseRequest("exec", { owner, params: { command: ["ls"] } }).params).toMatchObject({
      cwd: "/workspace",
      timeoutMs: 600_000,
      parallel: false,
    });
    expect(parseRequest("delete", { owner }).params).toEqual({ cancelPending: false, timeoutMs: 300_000 });
  });

  it("of a create with a template is what it says itself: what it leaves out is the template's to say", () => {
    const params = { template: "py@3", resources: { memory: "1Gi" }, env: { A: "1" } };
    expect(parseRequest("create", { owner, params }).params).toEqual(params);
    expect(parseRequest("create", { owner, params: { template: "py" } }).params).toEqual({ template: "py" });
  });

  it("of a project and a conversation is the project's", () => {
    expect(parseRequest("delete", { owner: { project: "p", conversation: "c" } }).owner).toEqual({ project: "p" });
  });

  it("carries stdin as bytes, apart from the params", () => {
    const text = parseRequest("exec", { owner, params: { command: "cat", stdin: "hé" } });
    expect(Buffer.from(text.stdin!)).toEqual(Buffer.from("hé"));
    expect(text.params).not.toHaveProperty("stdin");
    const bytes = parseRequest("exec", { owner, params: { command: "cat", stdin: { base64: Buffer.from([0, 255]).toString("base64") } } });
    expect(bytes.stdin).toEqual(Buffer.from([0, 255]));
  });

  it.each<[string, Kind, unknown, RequestError["code"], RegExp]>([
    ["no owner", "create", {}, "owner-missing", /project: ID.*conversation: ID/],
    [
      "more output than the journal holds eight times",
      "exec",
      { owner, params: { command: "x", parallel: true, maxOutputBytes: 41_943_041 } },
      "invalid-request",
      /maxOutputBytes.*40 MiB/,
    ],
    ["an empty owner", "create", { owner: {} }, "owner-missing", /neither/],
    ["an empty id", "create", { owner: { project: "" } }, "invalid-request", /owner\.project must be 1 to 128/],
    ["an id of 10,000 characters", "create", { owner: { project: "x".repeat(10_000) } }, "invalid-request", /owner\.project/],
    ["an id with a shell in it", "delete", { owner: { conversation: "'; rm -rf /" } }, "invalid-request", /owner\.conversation/],
    [
      "a resource of lots",
      "create",
      { owner, params: { resources: { memory: "lots" } } },
      "invalid-request",
      /params\.resources\.memory is no quantity/,
    ],
    ["a resource of nothing", "create", { owner, params: { resources: { cpu: "0" } } }, "invalid-request", /params\.resources\.cpu/],
    [
      "a negative time-out",
      "exec",
      { owner, params: { command: "ls", timeoutMs: -1 } },
      "invalid-request",
      /params\.timeoutMs must be at least 1/,
    ],
    ["a time-out of two days", "exec", { owner, params: { command: "ls", timeoutMs: 172_800_000 } }, "invalid-request", /at most 86400000/],
    ["an unknown option", "exec", { owner, params: { command: "ls", tty: true } }, "invalid-request", /unknown option "tty" in params/],
    ["an unknown option beside the params", "delete", { owner, force: 1 }, "invalid-request", /unknown option "force"/],
    ["no command", "exec", { owner }, "invalid-request", /params\.command/],
    ["an empty argv", "exec", { owner, params: { command: [] } }, "invalid-request", /params\.command is empty/],
    ["an argv without a program", "exec", { owner, params: { command: ["", "x"] } }, "invalid-request", /names no program/],
    ["a NUL in an argument", "exec", { owner, params: { command: ["a\0b"] } }, "invalid-request", /NUL/],
    ["an argument over 128 KiB", "exec", { owner, params: { command: ["x".repeat(131_072)] } }, "invalid-request", /131071 bytes/],
    [
      "a variable with = in its name",
      "exec",
      { owner, params: { command: "x", env: { "a=b": "" } } },
      "invalid-request",
      /no name for a variable/,
    ],
    ["a relative cwd", "exec", { owner, params: { command: "x", cwd: "src" } }, "invalid-request", /params\.cwd must be an absolute path/],
    ["a callback to a file", "delete", { owner, callbackUrl: "file:///etc/passwd" }, "invalid-request", /callbackUrl must be an http/],
    ["a callback with a password", "delete", { owner, callbackUrl: "https://u:p@x.example/" }, "invalid-request", /without credentials/],
    ["a callback with a user behind a turn", "delete", { owner, callbackUrl: "https://x\\@y.example/" }, "invalid-request", /callbackUrl/],
    ["a callback to no port", "delete", { owner, callbackUrl: "https://x.example:99999/" }, "invalid-request", /callbackUrl is no address/],
    [
      "a callback of 3,000 characters",
      "delete",
      { owner, callbackUrl: `https://x.example/${"a".repeat(3_000)}` },
      "invalid-request",
      /callbackUrl is longer/,
    ],
    ["a template's own field", "create", { owner, params: { level: "baseline" } }, "invalid-request", /unknown option "level"/],
    [
      "the same beside a template",
      "create",
      { owner, params: { template: "py", tolerations: [] } },
      "invalid-request",
      /unknown option "tolerations"/,
    ],
    [
      "a field that is wrong beside a template",
      "create",
      { owner, params: { template: "py", user: 0 } },
      "invalid-request",
      /params\.user must not be root/,
    ],
    ["no version of a template", "create", { owner, params: { template: "py@0" } }, "invalid-request", /params\.template must be NAME/],
    ["root as user", "create", { owner, params: { user: 0 } }, "invalid-request", /must not be root/],
    [
      "a probe that asks nothing",
      "create",
      { owner, params: { probes: { liveness: {} } } },
      "invalid-request",
      /liveness must ask in exactly/,
    ],
    [
      "a probe that asks twice",
      "create",
      { owner, params: { probes: { readiness: { tcp: { port: 1 }, exec: ["true"] } } } },
      "invalid-request",
      /readiness must ask in exactly one way/,
    ],
    [
      "a probe of another host",
      "create",
      { owner, params: { probes: { startup: { tcp: { port: 1, host: "10.0.0.1" } } } } },
      "invalid-request",
      /unknown option "host" in params\.probes\.startup\.tcp/,
    ],
    [
      "a probe of half a second",
      "create",
      { owner, params: { probes: { liveness: { tcp: { port: 1 }, periodSeconds: 0.5 } } } },
      "invalid-request",
      /periodSeconds must be a whole number of seconds/,
    ],
    [
      "a liveness that has to pass twice",
      "create",
      { owner, params: { probes: { liveness: { tcp: { port: 1 }, successThreshold: 2 } } } },
      "invalid-request",
      /unknown option "successThreshold"/,
    ],
    [
      "a fence of no kind",
      "create",
      { owner, params: { network: "open" } },
      "invalid-request",
      /params\.network must be "none", "default" or/,
    ],
    [
      "a fence around a name",
      "create",
      { owner, params: { network: { allow: [{ cidr: "example.com" }] } } },
      "invalid-request",
      /params\.network\.allow\.0\.cidr must be a range of addresses/,
    ],
    ["a label of podq's own", "create", { owner, labels: { "podq.dev/pod": "x" } }, "invalid-request", /reserved/],
    ["an image with a space", "create", { owner, params: { image: "a b" } }, "invalid-request", /no image reference/],
    ["no object at all", "create", "create it", "invalid-request", /the request/],
  ])("with %s is refused, and told why", (_what, kind, payload, code, message) => {
    const error = refused(kind, payload);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message.length).toBeLessThan(400);
  });
});

const taken = (cidr: string): boolean => {
  try {
    parseRequest("create", { owner, params: { network: { allow: [{ cidr }] } } });
    return true;
  } catch {
    return false;
  }
};

describe("what a pod may connect to", () => {
  it.each([
    "10.0.0.0/8",
    "0.0.0.0/0",
    "192.0.2.7",
    "::/0",
    "::1",
    "fd00::/8",
    "2001:db8:1:2:3:4:5:6/128",
    "1::8",
    "1:2:3:4:5:6:7::",
    "fe80::1:2",
  ])("is %s", (cidr) => {
    expect(taken(cidr)).toBe(true);
  });

  it.each([
    "",
    "10",
    "10.0.0.0/33",
    "256.0.0.1",
    "10.0.0.0/08",
    "01.0.0.0/8",
    "::/129",
    ":::",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    "fe80::1%eth0",
    "::ffff:1.2.3.4",
  ])("is not %j", (cidr) => {
    expect(taken(cidr)).toBe(false);
  });
});

describe("the key of a pod", () => {
  it("tells projects from conversations, and one name from another", () => {
    const keys = [podKey({ project: "1" }), podKey({ conversation: "1" }), podKey({ project: "1" }, "gpu")];
    expect(keys).toEqual(["project/1/default", "conversation/1/default", "project/1/gpu"]);
  });
});

describe("the published JSON Schema", () => {
  it.each(kinds)("of %s is the one in the package", (kind) => {
    const published: unknown = JSON.parse(readFileSync(new URL("../payload.schema.json", import.meta.url), "utf8"));
    expect(published).toHaveProperty(kind, payloadJsonSchema()[kind]);
  });
});
