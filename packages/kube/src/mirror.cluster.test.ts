import { afterAll, beforeAll, expect, it } from "vitest";
import type { Mirror } from "./mirror.ts";
import type { Sight } from "./sight.ts";
import { clusterFixture } from "./testing.ts";
import type { ClusterFixture } from "./testing.ts";

const control = { timeoutMs: 120_000 };
const soon = { timeout: 60_000, interval: 100 };
let on: ClusterFixture;
let mirror: Mirror;
const changed = new Set<string>();

beforeAll(async () => {
  on = await clusterFixture();
  mirror = await on.pods.mirror({ changed: (namespaces) => namespaces.forEach((one) => changed.add(one)) });
});
afterAll(async () => {
  await mirror.stop();
  await on.stop();
});

// Services are not watched.
function withoutService(sight: Sight): object {
  return { ...sight, observation: { ...sight.observation, service: undefined } };
}

it("a mirror shows what a look of one's own shows, and tells of each change, also after its watches were cut", async () => {
  await expect.poll(() => mirror.live(), soon).toBe(true);
  const identity = on.identity("mirrored");
  const made = await on.pods.create(identity, on.spec(), control);
  const status = (): string => mirror.sight(identity).observation.status;
  await expect.poll(status, soon).toBe("running");
  expect(changed).toContain(identity.namespace);
  expect(withoutService(mirror.sight(identity))).toEqual(withoutService(await on.pods.sight(identity, control)));
  expect(mirror.sight(identity).observation.marks).toEqual(made.marks);

  mirror.relist(); // ends its channels, too
  await on.admin(["scale", "deployment", identity.deployment, `--namespace=${identity.namespace}`, "--replicas=0"]);
  await expect.poll(status, soon).toBe("stopped");
  await on.admin(["set", "env", `deployment/${identity.deployment}`, `--namespace=${identity.namespace}`, "MORE=1"]);
  await expect.poll(() => mirror.sight(identity).observation.marks?.["env"], soon).not.toBe(made.marks?.["env"]);

  await on.admin(["delete", "namespace", identity.namespace, "--wait=false"]);
  await expect.poll(() => mirror.sight(identity).namespace, soon).toBe("absent");
  expect(await on.pods.sight(identity, control)).toMatchObject({ namespace: "absent", observation: { status: "absent" } });
  await expect.poll(() => mirror.size(), soon).toBe(0);
});

it("an answer to a ping says that the way is there", async () => {
  await expect(on.pods.ping(control)).resolves.toBeUndefined();
});
