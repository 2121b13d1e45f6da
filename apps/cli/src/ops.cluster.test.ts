// What the files in ops/ ask Prometheus for is what a worker and an API serve that have worked.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parser } from "@prometheus-io/lezer-promql";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { endProcess, freePort, setScene, type Scene } from "./testing.ts";

type Rule = { alert: string; expr: string; labels: { severity: string }; annotations: { summary: string; runbook: string } };
type Panel = { title: string; targets?: { expr: string }[]; panels?: Panel[] };
type Dashboard = { panels: Panel[]; templating: { list: { name: string; type: string; definition?: string }[] } };

const ops = join(import.meta.dirname, "../../../ops");
const rules = (parse(await readFile(join(ops, "alerts.yaml"), "utf8")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const dashboard = JSON.parse(await readFile(join(ops, "dashboard.json"), "utf8")) as Dashboard;
const queries: [where: string, exprs: string[]][] = [
  ...rules.map(({ alert, expr }): [string, string[]] => [`alert ${alert}`, [expr]]),
  ...dashboard.panels.flatMap(({ title, targets }): [string, string[]][] =>
    targets ? [[`panel ${title}`, targets.map(({ expr }) => expr)]] : [],
  ),
];

// Grafana puts a duration there; PromQL's own grammar wants to see one.
const asPromql = (expr: string): string => expr.replaceAll(/\$__(rate_interval|interval|range)\b/g, "5m");

/** The metrics of a query, each with the labels that its matchers and the groupings around it name. Throws at what is no PromQL. */
function metricsIn(expr: string): { name: string; labels: string[] }[] {
  const text = asPromql(expr);
  const found: { name: string; labels: string[] }[] = [];
  const tree = parser.parse(text);
  tree.iterate({
    enter(node) {
      if (node.type.isError) throw new SyntaxError(`no PromQL at ${node.from}: ${text}`);
      if (node.name !== "VectorSelector") return;
      const labels: string[] = [];
      let name = "";
      node.node.cursor().iterate((inner) => {
        if (inner.name === "Identifier") name ||= text.slice(inner.from, inner.to);
        if (inner.name === "LabelName") labels.push(text.slice(inner.from, inner.to));
      });
      for (let up = node.node.parent; up; up = up.parent)
        for (const grouping of up.getChildren("AggregateModifier").flatMap((one) => one.getChildren("GroupingLabels")))
          labels.push(...grouping.getChildren("LabelName").map(({ from, to }) => text.slice(from, to)));
      found.push({ name, labels });
    },
  });
  return found;
}

/** The labels of each metric that is served, by name; histograms by the names of their parts. */
function served(text: string): Map<string, Set<string>> {
  const known = new Map<string, Set<string>>();
  for (const [, name = "", , labels = ""] of text.matchAll(/^([a-z_][a-z0-9_]*)(\{(.*)\})? \S+$/gim)) {
    const set = known.get(name) ?? new Set();
    for (const [, label = ""] of labels.matchAll(/(?:^|,)([a-z_]+)="/g)) set.add(label);
    known.set(name, set);
  }
  return known;
}

// Prometheus adds these to what it scrapes.
const ownLabels = new Set(["instance", "job"]);

const read = async (port: number): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();

let scene: Scene;
let known: Map<string, Set<string>>;
beforeAll(async () => {
  scene = await setScene();
  const { podq, cluster, small } = scene;
  const [metrics, api] = [await freePort(), await freePort()];
  await scene.startWorker({ PODQ_METRICS_PORT: String(metrics) });
  const serving = scene.start(["api"], { PODQ_API_PORT: String(api) });
  const pod = podq.pod({ project: "ops" });
  await (await pod.create({ image: cluster.image, resources: small })).result();
  await pod.run("exit 3");
  await podq
    .pod({ project: "none" })
    .run("x")
    .catch(() => undefined); // fails: there is no such pod
  await pod.exec("sleep 300");
  const patience = { timeout: 60_000, interval: 500 };
  const running = /^podq_jobs_unfinished\{kind="exec",state="running"\} 1$/m;
  await vi.waitUntil(async () => running.test(await read(metrics)), patience);
  await vi.waitUntil(async () => (await read(api).catch(() => "")).includes("podq_http_requests_total{"), patience);
  known = served(`${await read(metrics)}\n${await read(api)}`);
  await endProcess(serving, "SIGTERM");
});
afterAll(async () => scene?.stop());

describe("the files in ops", () => {
  it.each(queries)("%s asks for metrics and labels that are served", (_where, exprs) => {
    expect(exprs.map((expr) => metricsIn(expr).length)).not.toContain(0);
    for (const { name, labels } of exprs.flatMap(metricsIn)) {
      const has = known.get(name);
      expect(has, `${name} is not served`).toBeDefined();
      for (const label of labels) expect([name, ownLabels.has(label) || has?.has(label) ? label : `no ${label}`]).toEqual([name, label]);
    }
  });

  it("the check finds a metric, a label and a query that are wrong", () => {
    expect(metricsIn('sum by (a) (rate(x{b="c"}[$__rate_interval])) > 1')).toEqual([{ name: "x", labels: ["b", "a"] }]);
    expect(() => metricsIn("sum by (a (x)")).toThrow(SyntaxError);
    expect(served('x_bucket{le="1",kind="a"} 3\ny 1')).toEqual(
      new Map([
        ["x_bucket", new Set(["le", "kind"])],
        ["y", new Set()],
      ]),
    );
  });

  it("the dashboard's variables ask for what is served, and every panel for the datasource that is chosen", () => {
    const [source, instance] = dashboard.templating.list;
    expect(source).toMatchObject({ name: "datasource", type: "datasource" });
    const [, metric = "", label = ""] = /^label_values\((\w+), (\w+)\)$/.exec(instance?.definition ?? "") ?? [];
    expect([known.has(metric), label]).toEqual([true, "instance"]);
    const uids = new Set([...JSON.stringify(dashboard).matchAll(/"uid":"(.*?)"/g)].map(([, uid]) => uid));
    expect(uids).toEqual(new Set(["${datasource}", "podq"]));
  });

  it.each(rules)("$alert says what to do, and names only labels that its query leaves", ({ expr, annotations, labels }) => {
    expect(["warning", "critical"]).toContain(labels.severity);
    expect(annotations.runbook.length).toBeGreaterThan(80);
    const left = new Set(metricsIn(expr).flatMap((metric) => metric.labels));
    for (const [, label = ""] of JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g)) expect(left).toContain(label);
  });

  it("README.md explains each alert", async () => {
    const readme = await readFile(join(ops, "README.md"), "utf8");
    for (const { alert } of rules) expect(readme).toContain(`\`${alert}\``);
  });
});
