import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer as createHttpServer } from "node:http";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { endProcess, freePort, setScene, type Scene } from "./testing.ts";

type Span = { traceId: string; spanId: string; parentSpanId?: string; name: string; service: string; text: string };
type Sent = {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue?: string } }[] };
    scopeSpans: { spans: Omit<Span, "service" | "text">[] }[];
  }[];
};

let scene: Scene;
beforeAll(async () => {
  scene = await setScene();
});
afterAll(async () => scene?.stop());

/** What OpenTelemetry's own collector would hear. */
async function startCollector(): Promise<{ url: string; spans: Span[]; stop: () => void }> {
  const spans: Span[] = [];
  const server = createHttpServer((request, response) => {
    void json(request).then((body) => {
      for (const { resource, scopeSpans } of (body as Sent).resourceSpans) {
        const service = resource.attributes.find(({ key }) => key === "service.name")?.value.stringValue ?? "";
        for (const span of scopeSpans.flatMap((scope) => scope.spans)) spans.push({ ...span, service, text: JSON.stringify(span) });
      }
      response.setHeader("content-type", "application/json").end("{}");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, stop: () => server.close() };
}

it("a request is one trace over API, queue, worker, kubectl and the command, without a word of what was asked", async () => {
  const { podq, cluster, small } = scene;
  const collector = await startCollector();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const port = await freePort();
  const worker = await scene.startWorker(env);
  const api = scene.start(["api"], { ...env, PODQ_API_PORT: String(port) });
  const url = `http://127.0.0.1:${port}`;
  await vi.waitUntil(
    async () =>
      fetch(`${url}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    { timeout: 60_000, interval: 200 },
  );
  await (await podq.pod({ project: "t" }).create({ image: cluster.image, resources: small })).result();

  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const caller = "b7ad6b7169203331";
  const answer = await fetch(`${url}/v1/pods/project/t/exec`, {
    method: "POST",
    headers: { "content-type": "application/json", traceparent: `00-${traceId}-${caller}-01` },
    body: JSON.stringify({ command: ["sh", "-c", "echo $SECRET; exit 3"], env: { SECRET: "s3cret-value" } }),
  });
  const { id } = (await answer.json()) as { id: string };
  await podq.job(id).result();
  await endProcess(api, "SIGTERM");
  await endProcess(worker, "SIGTERM");
  collector.stop();

  const mine = collector.spans.filter((span) => span.traceId === traceId);
  const byId = new Map(mine.map((span) => [span.spanId, span]));
  const pathOf = ({ name, service, parentSpanId = "" }: Span): string[] => {
    const parent = byId.get(parentSpanId);
    return [...(parent ? pathOf(parent) : [parentSpanId === caller ? "caller" : "?"]), `${service}: ${name}`];
  };
  const paths = mine.map((span) => pathOf(span).join(" > "));
  const enqueue = "caller > podq-api: POST /v1/pods/:owner/:id/exec > podq-api: enqueue exec";
  const attempt = `${enqueue} > podq-api: add podq.exec > podq-worker: process podq > podq-worker: attempt exec`;
  expect(paths).toContain(`${attempt} > podq-worker: exec > podq-worker: open kubectl exec`);
  expect(paths.filter((path) => path.includes("?"))).toEqual([]);
  const all = JSON.stringify(collector.spans);
  for (const secret of ["s3cret-value", "echo $SECRET", "exit 3", "SECRET"]) expect(all).not.toContain(secret);
  expect(collector.spans.filter(({ name }) => /getNextJob|moveStalled/i.test(name))).toEqual([]);
});

it("none of what traces is loaded where it is not asked for", async () => {
  const told = "loaded for traces:";
  const hook = `import { registerHooks } from "node:module"; registerHooks({ load(url, context, next) {
    if (/node_modules.(bullmq-otel|@opentelemetry.(sdk|exporter|otlp|resources|core|context))/.test(url)) process.stderr.write("${told} " + url + "\\n");
    return next(url, context); } });`;
  const env = { NODE_OPTIONS: `--import data:text/javascript;base64,${Buffer.from(hook).toString("base64")}` };
  const asked = await scene.startWorker({ ...env, OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" });
  const plain = await scene.startWorker(env);
  const loaded = ({ log }: { log: string }): string[] => log.split("\n").filter((line) => line.startsWith(told));
  expect([loaded(plain), loaded(asked).length > 5]).toEqual([[], true]);
  await Promise.all([asked, plain].map(async (worker) => endProcess(worker, "SIGTERM")));
});
