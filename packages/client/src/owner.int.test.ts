import { randomBytes } from "node:crypto";
import { openStore } from "@podq/store";
import { expect, inject, it } from "vitest";
import { connect } from "./connect.ts";
import { deleteOwner } from "./owner.ts";
import type { Context } from "./context.ts";

const { redisUrl, mongodbUri: base } = inject("services");

function freshUri(): { mongodbUri: string; prefix: string } {
  const prefix = `t${randomBytes(6).toString("hex")}`;
  const uri = new URL(base);
  uri.pathname = `/${prefix}`;
  return { mongodbUri: uri.href, prefix };
}

it("a delete of an owner stands behind every create of his that waits, once for one key", async () => {
  await using podq = await connect({ redisUrl, ...freshUri() });
  for (const name of ["a", "b"]) await podq.pod({ project: "p", name }).create();
  await podq.pod({ project: "p2" }).create();
  await podq.pod({ conversation: "p" }).create();
  const { jobs, failed } = await podq.deleteOwner({ project: "p" }, { idempotencyKey: "k", labels: { why: "gone" } });
  expect(failed).toEqual([]);
  expect(jobs.map(({ name }) => name)).toEqual(["a", "b"]);
  for (const { job } of jobs) expect(await job.status()).toMatchObject({ kind: "delete", position: 1, labels: { why: "gone" } });
  const again = await podq.deleteOwner({ project: "p" }, { idempotencyKey: "k", labels: { why: "gone" } });
  expect(again.jobs.map(({ job }) => job.id)).toEqual(jobs.map(({ job }) => job.id));
  await expect(podq.deleteOwner({})).rejects.toMatchObject({ code: "owner-missing" });
});

it("what of a delete of an owner is not accepted is told, and keeps no other from it", async () => {
  const { mongodbUri, prefix } = freshUri();
  await using podq = await connect({ redisUrl, mongodbUri, prefix });
  for (const name of ["a", "full", "full", "z"]) await podq.pod({ project: "p", name }).create();
  const store = await openStore({ uri: mongodbUri, appName: "podq-test", maxBacklog: 2 });
  try {
    const line = { dispatch: async () => undefined, announce: async () => undefined };
    const { jobs, failed } = await deleteOwner({ store, line } as unknown as Context, { project: "p" });
    expect(jobs.map(({ name }) => name)).toEqual(["a", "z"]);
    expect(failed).toMatchObject([{ name: "full", error: { code: "backlog-full" } }]);
  } finally {
    await store.close();
  }
});
