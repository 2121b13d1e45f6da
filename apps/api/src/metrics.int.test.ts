import { expect, it } from "vitest";
import { openScene } from "./testing.ts";

const read = async (url: string, token: string): Promise<string> =>
  (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();

it("the API's numbers are served to tokens that are bound to no owner, by route, never by what was asked for", async () => {
  await using scene = await openScene();
  const [all, mine] = [await scene.token("run"), await scene.token("run", ["project/p"])];
  const { body } = await scene.ask("POST", "/v1/pods/project/p/exec", { token: all, body: { command: "x" } });
  const following = new AbortController();
  const events = await fetch(`${scene.url}/v1/jobs/${String(body.id)}/events`, {
    headers: { authorization: `Bearer ${all}` },
    signal: following.signal,
  });
  await scene.ask("GET", "/v1/jobs/none", { token: all });
  await scene.ask("GET", "/no/such/secret-path", { token: all });
  await scene.ask("GET", "/v1/jobs");
  const answer = await fetch(`${scene.url}/metrics`, { headers: { authorization: `Bearer ${all}` } });
  expect(answer.headers.get("content-type")).toMatch(/^text\/plain/);
  const text = await answer.text();
  for (const line of [
    'podq_http_requests_total{method="POST",route="/v1/pods/:owner/:id/exec",status="202"} 1',
    'podq_http_requests_total{method="GET",route="/v1/jobs/:id",status="404"} 1',
    'podq_http_requests_total{method="GET",route="/v1/jobs",status="401"} 1',
    'podq_http_requests_total{method="GET",route="none",status="404"} 1',
    'podq_http_answer_seconds_count{method="POST",route="/v1/pods/:owner/:id/exec"} 1',
    'podq_http_open{route="/v1/jobs/:id/events"} 1',
    'podq_jobs_accepted_total{kind="exec"} 1',
    "podq_redis_lags_total 0",
  ])
    expect(text).toContain(line);
  expect(text).not.toMatch(/secret-path|project\/p/);
  following.abort();
  await events.text().catch(() => undefined);
  await expect.poll(async () => read(scene.url, all), { timeout: 10_000 }).toContain('podq_http_open{route="/v1/jobs/:id/events"} 0');
  expect(await scene.ask("GET", "/metrics", { token: mine })).toMatchObject({ status: 403, body: { code: "access-denied" } });
  expect((await scene.ask("GET", "/metrics")).status).toBe(401);
});
