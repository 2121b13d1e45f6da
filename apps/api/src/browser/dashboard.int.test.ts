import { connectRedis } from "@podq/queue";
import { Queue } from "bullmq";
import { expect, it } from "vitest";
import { openScene } from "../testing.ts";
import { withoutSecrets } from "./dashboard.ts";

const path = "/admin/queues/api/queues";

it("the dashboard is for tokens of scope admin that are not bound to owners", async () => {
  await using scene = await openScene();
  const [whole, bound, run] = [await scene.token("admin"), await scene.token("admin", ["project/p"]), await scene.token("run")];
  for (const at of ["/admin/queues", "/admin/queues/", `${path}?activeQueue=podq`, "/admin/queues/static/favicon.ico"]) {
    const status = async (token?: string): Promise<number> => (await scene.ask("HEAD", at, { token })).status;
    expect([at, await status(whole), await status(bound), await status(run), await status()]).toEqual([at, 200, 403, 403, 401]);
  }
});

it("the dashboard shows the queue without secrets, leads to output, loads nothing from elsewhere and takes no change", async () => {
  await using scene = await openScene();
  const token = await scene.token("admin");
  const { redisUrl, prefix } = scene.databases;
  const redis = await connectRedis(redisUrl, "worker");
  const queue = new Queue("podq", { connection: redis, prefix });
  const params = { command: ["login", "--password", "s3cret"], env: { PASSWORD: "s3cret" }, stdin: "s3cret" };
  const plain = await queue.add("exec", { owner: { project: "p" }, params });
  await queue.add("exec", "s3cret");
  await queue.upsertJobScheduler("nightly", { every: 3_600_000 }, { name: "exec", data: { owner: { project: "p" }, params } });
  const exec = await scene.ask("POST", "/v1/pods/project/p/exec", { token, body: params });
  const { body } = await scene.ask("GET", `${path}?activeQueue=podq&status=latest`, { token });
  const text = JSON.stringify(body);
  expect(text).not.toContain("s3cret");
  for (const shown of ['"env":["PASSWORD"]', '"given":["command","env","stdin"]', '"project":"p"']) expect(text).toContain(shown);
  for (const id of [`${plain.id}-${plain.timestamp}`, String(exec.body.id)]) expect(text).toContain(`"href":"/ui/jobs/${id}"`);
  const one = await scene.ask("GET", `${path}/podq/${plain.id}`, { token });
  expect([one.status, JSON.stringify(one.body)]).toEqual([200, expect.not.stringContaining("s3cret")]);
  const schedulers = await scene.ask("GET", "/admin/queues/api/job-schedulers", { token });
  const told = JSON.stringify(schedulers.body);
  for (const shown of ['"id":"nightly"', '"env":["PASSWORD"]']) expect(told).toContain(shown);
  expect(told).not.toContain("s3cret");
  const page = await fetch(`${scene.url}/admin/queues`, { headers: { authorization: `Bearer ${token}` } });
  const html = await page.text();
  expect([page.status, html]).toEqual([200, expect.stringContaining("<html")]);
  expect(html).not.toMatch(/(href|src)="https?:/);
  for (const [method, at] of [
    ["POST", "podq/add"],
    ["PUT", `podq/${plain.id}/clean`],
    ["PUT", "podq/obliterate"],
    ["PUT", "pause"],
    ["PATCH", `podq/${plain.id}/update-data`],
  ] as const)
    expect([at, (await scene.ask(method, `${path}/${at}`, { token, body: {} })).status]).toEqual([at, 405]);
  expect(await queue.isPaused()).toBe(false);
  await queue.close();
  redis.disconnect();
});

it.each<[string, unknown, unknown]>([
  [
    "what podq added",
    { v: 1, jobId: "a", owner: { project: "p" }, name: "n", free: true, x: "s" },
    { v: 1, jobId: "a", owner: { project: "p" }, name: "n", free: true },
  ],
  [
    "what others added",
    { owner: { conversation: "c" }, params: { env: { A: "s" } }, note: "s" },
    { owner: { conversation: "c" }, given: ["env"], env: ["A"] },
  ],
  ["an owner of another kind", { owner: ["s"], name: { s: "s" }, params: { env: "s" } }, { given: ["env"], env: [] }],
  ["nothing that podq knows", "s", "not of a kind that podq knows"],
])("of %s only names are shown", (_what, data, shown) => {
  expect(JSON.parse(JSON.stringify(withoutSecrets(data)))).toEqual(shown);
});
