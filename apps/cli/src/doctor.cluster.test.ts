import { afterAll, beforeAll, expect, it } from "vitest";
import { setScene, type Scene } from "./testing.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
});
afterAll(async () => scene?.stop());

it("podq doctor finds everything fit", async () => {
  const { code, stdout } = await scene.cli(["doctor"]);
  expect(stdout.replaceAll(/^ok {4}(.*?):.*$/gm, "$1")).toBe("settings\nRedis\nMongoDB\nSSH key\nSSH login\ncluster\n");
  expect(stdout).toMatch(/kubectl v\d\S*, Kubernetes v\d/);
  expect(code).toBe(0);
});

it.each([
  ["a wrong setting", { K8S_SSH_PORT: "ssh" }, "settings", /K8S_SSH_PORT/],
  ["a Redis that is not there", { REDIS_URL: "redis://127.0.0.1:1" }, "Redis", /REDIS_URL/],
  ["no key", { K8S_SSH_KEY_FILE: "/no/such/file" }, "SSH key", /\/no\/such\/file/],
  ["a host that nobody knows", { K8S_SSH_KNOWN_HOSTS: "/dev/null" }, "SSH login", /known/],
  ["no kubectl", { PODQ_KUBECTL: "/no/such/kubectl" }, "cluster", /kubectl/],
])("of %s it says what to do, and goes on where it can", async (_what, env, what, mend) => {
  const { code, stdout } = await scene.cli(["doctor", "--json"], env);
  const found = JSON.parse(stdout) as { what: string; fit: boolean; detail: string }[];
  expect(found.filter(({ fit }) => !fit)).toEqual([{ what, fit: false, detail: expect.stringMatching(mend) as string }]);
  expect(code).toBe(1);
});
