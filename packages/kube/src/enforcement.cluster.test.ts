import { afterAll, beforeAll, expect, it } from "vitest";
import { tryEnforcement } from "./enforcement.ts";
import type { Enforcement } from "./enforcement.ts";
import { label } from "./names.ts";
import { clusterFixture, eventually } from "./testing.ts";
import type { ClusterFixture } from "./testing.ts";

let on: ClusterFixture;
beforeAll(async () => (on = await clusterFixture()));
afterAll(async () => on.stop());

const tried = async (image: string): Promise<Enforcement> =>
  tryEnforcement({ ...on.pool, installation: on.installation, image, timeoutMs: 60_000 });

it.each([
  ["an image that is not there", "localhost/nope:1", /^it could not be tried with image localhost\/nope:1: image-not-found: /],
  ["an image without a shell", "", /^it could not be tried with image .*: start-failed: /],
])("whether policies are enforced is not known after a trial with %s, and nothing is left of it", async (_what, image, words) => {
  expect(await tried(image || on.cluster.imageNoShell)).toEqual({ enforced: null, detail: expect.stringMatching(words) as string });
  await eventually("its namespace is gone", async () => {
    const left = await on.admin(["get", "namespaces", "--selector", `${label.installation}=${on.installation}`, "-o", "name"]);
    return left === "" ? true : undefined;
  });
});
