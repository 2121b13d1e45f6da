import { describe, expect, it } from "vitest";
import { createKubectl } from "./kubectl.ts";
import { removePod } from "./remove.ts";
import type { PodRef } from "./remove.ts";
import type { Exit } from "./run.ts";
import { scriptedHost } from "./scripted.ts";

const ref: PodRef = { namespace: "n", namespaceUid: "u", deployment: "d", deploymentUid: "du" };
const there = { metadata: { name: "n", uid: "u", resourceVersion: "7" }, status: { phase: "Terminating" } };
const answer = (value: object): Partial<Exit> => ({ stdout: Buffer.from(JSON.stringify(value)) });
const notFound = { code: 1, stderr: Buffer.from('Error from server (NotFound): namespaces "n" not found') };

function removing(gets: Partial<Exit>[], { timeoutMs = 5_000, target = ref } = {}) {
  const host = scriptedHost((argv) => (argv.includes("delete") ? answer(there) : (gets.shift() ?? notFound)));
  const done = removePod(createKubectl(host), "podq", target, { until: performance.now() + timeoutMs });
  done.catch(() => undefined);
  return { host, done, deletes: () => host.runs.filter(({ argv }) => argv.includes("delete")).map(({ argv }) => argv[3]) };
}

describe("removePod", () => {
  it("stops the Deployment before the namespace, which takes seconds to go", async () => {
    const { done, deletes } = removing([notFound]);
    await done;
    expect(deletes()).toEqual(["/apis/apps/v1/namespaces/n/deployments/d", "/api/v1/namespaces/n"]);
  });

  it("waits from the state it read, so that an end in between is not missed, and does not wait for the watch to time out", async () => {
    const { host, done } = removing([answer(there), notFound]);
    const channel = await host.channel(0);
    expect(channel.argv.at(-1)).toMatch(
      /^\/api\/v1\/namespaces\?fieldSelector=metadata.name%3Dn&resourceVersion=7&watch=1&timeoutSeconds=\d+$/,
    );
    channel.send({ type: "DELETED", object: there });
    await done;
    expect(channel.closed).toBe(true);
  });

  it("asks again when a watch ends without an answer", async () => {
    const { host, done } = removing([answer(there), answer(there), notFound]);
    (await host.channel(0)).end({ code: 0 });
    (await host.channel(1)).end({ code: 0 });
    await done;
    expect(host.channels).toHaveLength(2);
  });

  it("is content with a successor under the same name", async () => {
    const { done } = removing([answer({ metadata: { ...there.metadata, uid: "successor" } })]);
    await expect(done).resolves.toBeUndefined();
  });

  it("says what is left when the time is over, and closes its watch", async () => {
    const conditions = [
      { type: "NamespaceDeletionDiscoveryFailure", status: "False", message: "all fine" },
      { type: "NamespaceContentRemaining", status: "True", message: "Some resources are remaining: pods. has 1 resource instances" },
    ];
    const stuck = { ...there, status: { ...there.status, conditions } };
    const { host, done } = removing([answer(there), answer(stuck), answer(stuck)], { timeoutMs: 200 });
    const channel = await host.channel(0);
    channel.send({ type: "MODIFIED", object: stuck });
    await expect(done).rejects.toMatchObject({
      code: "namespace-stuck",
      message: "namespace n is still there: NamespaceContentRemaining: Some resources are remaining: pods. has 1 resource instances",
    });
    expect(channel.closed).toBe(true);
  });

  it.each([
    ["nothing", notFound],
    ["a namespace without labels", answer(there)],
    [
      "another installation's",
      answer({ metadata: { ...there.metadata, labels: { "app.kubernetes.io/managed-by": "podq", "podq.dev/installation": "other" } } }),
    ],
  ])("deletes nothing when no uid was recorded and there is %s", async (_, get) => {
    const { done, deletes } = removing([get], { target: { namespace: "n", deployment: "d" } });
    await done;
    expect(deletes()).toEqual([]);
  });
});
