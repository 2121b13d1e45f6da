import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { containerName } from "./manifest.ts";
import { rights } from "./check.ts";
import { createPods } from "./pods.ts";
import { clusterFixture, ingressUrl } from "./testing.ts";
import type { ClusterFixture } from "./testing.ts";

const role = join(import.meta.dirname, "../rbac.yaml");
const limited = "podq-limited";
const control = { timeoutMs: 60_000 };

let on: ClusterFixture;
let binding: string;
describe("rbac.yaml", () => {
  it("grants what podq doctor asks for, and no more", () => {
    const rule = /apiGroups: \[(.*)\]\n\s+resources: \[(.*)\]\n\s+verbs: \[(.*)\]/g;
    const granted = [...readFileSync(role, "utf8").matchAll(rule)].map(([, group, resource, verbs]) => [
      group!.replaceAll('"', ""),
      resource,
      verbs,
    ]);
    const asked = rights.map(({ group, resource, subresource, verbs }) => [
      group,
      subresource === undefined ? resource : `${resource}/${subresource}`,
      verbs.join(", "),
    ]);
    expect(asked).toEqual(granted);
  });

  beforeAll(async () => {
    on = await clusterFixture();
    binding = `${on.installation}-rbac`;
  });
  afterAll(async () => {
    await on.admin(["delete", "clusterrole,clusterrolebinding", binding, "--ignore-not-found"]);
    await on.stop();
  });

  it("is enough for create, exec, expose, stop, start, find and delete, and nothing works without it", async (test) => {
    test.skip(on.cluster.kind === "embedded", "the embedded cluster checks no rights");
    // A user without any rights of his own; the file is on the host, which is this machine.
    const kubectl = ["kubectl", `--kubeconfig=${process.env["PODQ_TEST_LIMITED_KUBECONFIG"]}`];
    const pods = createPods({ ...on.pool, installation: on.installation, kubectl, ingress: { url: ingressUrl } });
    const identity = on.identity("limited");
    await expect(pods.create(identity, on.spec(), control)).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining(limited),
    });
    expect((await pods.check(control)).missing).toContain("create pods/exec");

    // Under a name of this test's own, so that two runs on one cluster do not take it from each other.
    await on.admin(["apply", "-f", "-"], readFileSync(role, "utf8").replace(/^ {2}name: podq$/m, `  name: ${binding}`));
    await on.admin(["create", "clusterrolebinding", binding, `--clusterrole=${binding}`, `--user=${limited}`]);
    // What has no code of its own here, an authorizer that has not yet heard of the binding, is over as soon as a read works.
    await expect
      .poll(() => pods.find({ kind: "project", id: "limited", name: "default" }, control).catch(() => undefined), { timeout: 10_000 })
      .toEqual({ highest: 0 });

    const nope = on.spec({ image: "localhost/nope:1" });
    await expect(pods.create(identity, nope, control)).rejects.toMatchObject({ code: "image-not-found" });
    const made = await pods.create(identity, on.spec({ access: "ingress" }), control);
    expect(made).toMatchObject({ status: "running" });
    const exec = ["exec", "-i", `--namespace=${made.namespace}`, made.podName!, "-c", containerName, "--", "sh", "-c", "id -u"];
    expect(await on.pool.run([...kubectl, ...exec])).toMatchObject({ code: 0, stdout: Buffer.from("1000\n") });
    expect(await pods.observe(made, control)).toEqual({ ...made, updated: [] }); // it was changed from one that could not run
    expect(await pods.find({ kind: "project", id: "limited", name: "default" }, control)).toMatchObject({ highest: 1 });
    expect((await pods.check(control)).missing).toEqual([]);
    expect((await pods.expose(identity, { port: 3000, protocol: "TCP" }, control)).service.ports).toHaveLength(2);
    expect((await pods.unexpose(identity, "http", control)).service.ports).toMatchObject([{ port: 3000 }]);
    expect(await pods.create(identity, on.spec({ access: "clusterIP" }), { ...control, ifChanged: "update" })).toMatchObject({
      updated: ["access"],
      service: { access: "clusterIP" },
    });
    expect(await pods.stop(identity, control)).toMatchObject({ status: "stopped" });
    expect(await pods.start(identity, { ...control, restart: "again" })).toMatchObject({ status: "running" });
    await expect(pods.delete(made, control)).resolves.toBeUndefined();

    for (const [verb, what] of [
      ["get", "secrets"],
      ["list", "nodes"],
      ["create", "pods"],
      ["create", "clusterrolebindings"],
      ["delete", "pods"],
    ])
      expect(await on.pool.run([...kubectl, "auth", "can-i", verb!, what!, "--all-namespaces"])).toMatchObject({
        stdout: Buffer.from("no\n"),
      });
  });
});
