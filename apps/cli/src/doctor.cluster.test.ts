import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { setScene, type Scene } from "./testing.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
});
afterAll(async () => scene?.stop());

it("podq doctor finds everything fit", async () => {
  const { code, stdout } = await scene.cli(["doctor"]);
  const found = "settings\nRedis\nMongoDB\nSSH key\nSSH host\nhost key\nSSH login\ncluster\n";
  expect(stdout.replaceAll(/^ok {4}(.*?):.*$/gm, "$1")).toBe(
    `${found}${stdout.match(/^warn {2}network: it is not known whether .*PODQ_NETWORK_IMAGE.*$/m)?.[0]}\n`,
  );
  expect(stdout).toMatch(/kubectl v\d\S*, Kubernetes v\d/);
  expect(code).toBe(0);
});

it.each([
  ["a wrong setting", { K8S_SSH_PORT: "ssh" }, "settings", /K8S_SSH_PORT/],
  ["a Redis that is not there", { REDIS_URL: "redis://127.0.0.1:1" }, "Redis", /REDIS_URL/],
  ["no key", { K8S_SSH_KEY_FILE: "/no/such/file" }, "SSH key", /\/no\/such\/file/],
  ["no host", { K8S_SSH_PORT: "1" }, "SSH host", /K8S_SSH_PORT/],
  ["a host that nobody knows", { K8S_SSH_KNOWN_HOSTS: "/dev/null" }, "host key", /add this line to \/dev\/null/],
  ["a user whom the host does not let in", { K8S_SSH_USERNAME: "nobody-of-that-name" }, "SSH login", /authorized_keys/],
  ["no kubectl", { PODQ_KUBECTL: "/no/such/kubectl" }, "cluster", /PODQ_KUBECTL/],
])("of %s it says what to do, and goes on where it can", async (_what, env, what, mend) => {
  const { code, stdout } = await scene.cli(["doctor", "--json"], env);
  const found = JSON.parse(stdout) as { what: string; fit: boolean; detail: string }[];
  expect(found.filter(({ fit }) => !fit)).toEqual([{ what, fit: false, detail: expect.stringMatching(mend) as string }]);
  expect(code).toBe(1);
});

it("of a user of the cluster without rights it names those that are missing, and the file that gives them", async (test) => {
  test.skip(scene.cluster.kind === "embedded", "the embedded cluster checks no rights");
  // The SSH host of a test's real cluster is this machine.
  const dir = await mkdtemp(join(tmpdir(), "podq-doctor-"));
  await chmod(dir, 0o755);
  const kubectl = join(dir, "kubectl");
  await writeFile(kubectl, `#!/bin/sh\nexec kubectl --kubeconfig='${process.env.PODQ_TEST_LIMITED_KUBECONFIG}' "$@"\n`, { mode: 0o755 });
  const { code, stdout } = await scene.cli(["doctor"], { PODQ_KUBECTL: kubectl });
  await rm(dir, { recursive: true });
  expect(stdout).toMatch(/^FAIL {2}cluster: .*rights are missing: .*create pods\/exec.*rbac\.yaml/m);
  expect(code).toBe(1);
});
