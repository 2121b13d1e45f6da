import { expect, it } from "vitest";
import { readConfig } from "./config.ts";
import { judgeLogin, skew } from "./doctor.ts";

const { ssh } = readConfig({ K8S_SSH_HOST: "h", K8S_SSH_USERNAME: "u", K8S_SSH_KNOWN_HOSTS: "/k" }).hosts[0]!;
const nothing = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
const failed = (kind: "unavailable" | "host-key" | "auth" | "timeout") => ({ kind, message: kind, stopped: true, ...nothing });

it.each([
  ["a login that works", { kind: "exit" as const, code: 0, signal: null, ...nothing }, "SSH host, host key, SSH login"],
  ["a user without a shell", { kind: "exit" as const, code: 1, signal: null, ...nothing }, "SSH host, host key, not SSH login"],
  ["a host that is away", failed("unavailable"), "not SSH host"],
  ["a host that does not answer", failed("timeout"), "not SSH host"],
  ["another key", failed("host-key"), "SSH host, not host key"],
  ["a refusal", failed("auth"), "SSH host, host key, not SSH login"],
])("%s is told as what it is", (_what, went, told) => {
  const findings = judgeLogin(went, ssh);
  expect(findings.map(({ what, fit }) => (fit ? what : `not ${what}`)).join(", ")).toBe(told);
});

it.each([
  ["v1.36.3", "v1.36.0", false],
  ["v1.35.1", "v1.36.3+k3s1", false],
  ["v1.30.0", "v1.36.3", true],
  ["v1.36.3", "v1.33.0-eks-1", true],
  ["unknown", "v1.33.0", false],
])("kubectl %s beside Kubernetes %s is told of: %s", (client, server, told) => {
  expect(skew(client, server) !== "").toBe(told);
});
