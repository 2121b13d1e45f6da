import { describe, expect, it } from "vitest";
import { annotationsOf, labelsOf, podNames } from "./names.ts";
import { createPods } from "./pods.ts";
import type { PodSpec } from "./manifest.ts";
import type { Exit, Failure } from "./run.ts";
import { failure, scriptedHost } from "./scripted.ts";

const identity = podNames({ installation: "podq", kind: "project", id: "p1", name: "default", generation: 1 });
const spec: PodSpec = {
  image: "busybox",
  env: { TOKEN: "s3cret" },
  resources: { memory: "200Mi", cpu: "200m", memoryRequests: "100Mi", cpuRequests: "100m" },
};
const control = { timeoutMs: 5_000 };
const answer = (value: object): Partial<Exit> => ({ stdout: Buffer.from(JSON.stringify(value)) });
const notFound = { code: 1, stderr: Buffer.from('Error from server (NotFound): namespaces "n" not found') };
const object = (kind: string, name: string, metadata: object = {}) => ({
  kind,
  metadata: { name, uid: `uid-${kind}`, labels: labelsOf(identity), annotations: annotationsOf(identity), ...metadata },
  spec: { replicas: 1, template: { spec: { containers: [] } } },
});
const all = (metadata: object = {}) => [
  object("Namespace", identity.namespace, metadata),
  object("Deployment", identity.deployment),
  object("Service", identity.service),
];

function host(says: { list?: object[]; namespace?: Partial<Exit>; apply?: Partial<Exit> | Failure } = {}) {
  const scripted = scriptedHost((argv) => {
    if (argv.includes("apply")) return says.apply ?? answer({ items: all() });
    return argv.includes("--raw") ? (says.namespace ?? notFound) : answer({ items: says.list ?? [] });
  });
  const verbs = () => scripted.runs.map(({ argv }) => (argv.includes("apply") ? "apply" : argv.includes("--raw") ? "get" : "list"));
  return { ...scripted, verbs, pods: createPods({ ...scripted, installation: "podq" }) };
}

const named = (generation: number, metadata: object = {}) => {
  const other = podNames({ ...identity, generation });
  return {
    metadata: { name: other.namespace, uid: `u${generation}`, labels: labelsOf(other), annotations: annotationsOf(other), ...metadata },
  };
};
const found = (...items: object[]) =>
  host({ namespace: answer({ items }) }).pods.find({ kind: "project", id: "p1", name: "default" }, control);

describe("create", () => {
  it("never calls success what it put into a namespace that is going, although the server accepted it", async () => {
    const { pods, channels, verbs } = host({ apply: answer({ items: all({ deletionTimestamp: "2026-01-01T00:00:00Z" }) }) });
    await expect(pods.create(identity, spec, control)).rejects.toMatchObject({
      code: "namespace-terminating",
      observation: { namespaceUid: "uid-Namespace" },
    });
    expect(verbs()).toEqual(["list", "get", "apply"]);
    expect(channels).toEqual([]);
  });

  it("applies nothing to a namespace that is seen to be going", async () => {
    const { pods, verbs } = host({ list: all({ deletionTimestamp: "2026-01-01T00:00:00Z" }) });
    await expect(pods.create(identity, spec, control)).rejects.toMatchObject({ code: "namespace-terminating" });
    expect(verbs()).toEqual(["list"]);
  });

  it("applies nothing where somebody else's namespace stands", async () => {
    const foreign = { kind: "Namespace", metadata: { name: identity.namespace, uid: "u" } };
    const { pods, verbs } = host({ namespace: answer(foreign) });
    await expect(pods.create(identity, spec, control)).rejects.toMatchObject({ code: "conflict" });
    expect(verbs()).toEqual(["list", "get"]);
  });

  it("does not take the namespace of another generation, which the same labels select, for its own", async () => {
    const { pods, verbs } = host({ list: [object("Namespace", "podq-p1-other-2")], apply: failure("unknown") });
    await expect(pods.create(identity, spec, control)).rejects.toMatchObject({ code: "host-unreachable" });
    expect(verbs()).toEqual(["list", "get", "apply"]);
  });

  it("sends the objects one a line through stdin, the namespace first, and no value of env in an argv", async () => {
    const { pods, runs } = host({ apply: failure("unknown") });
    await expect(pods.create(identity, spec, control)).rejects.toMatchObject({ code: "host-unreachable" });
    const { argv, options } = runs.at(-1)!;
    expect(argv).toEqual("kubectl apply --server-side --field-manager=podq --force-conflicts --validate=ignore -o json -f -".split(" "));
    const lines = (options.stdin as string).split("\n").map((line) => JSON.parse(line) as { kind: string });
    expect(lines.map(({ kind }) => kind)).toEqual(["Namespace", "NetworkPolicy", "Deployment", "Service"]);
    expect(options.stdin).toContain("s3cret");
    expect(JSON.stringify(runs.map(({ argv: words }) => words))).not.toContain("s3cret");
  });

  it("says what was there before, when the objects could be applied only in part", async () => {
    const stderr = Buffer.from('The Service "workspace-1" is invalid: spec.ports: Required value');
    const { pods } = host({ list: all().slice(0, 1), apply: { code: 1, stderr } });
    await expect(pods.create(identity, spec, control)).rejects.toMatchObject({
      code: "invalid-request",
      observation: { status: "absent", namespaceUid: "uid-Namespace" },
    });
  });

  it("counts the starts: a new number makes the cluster begin anew, the same one lets go on what is starting as asked", async () => {
    const startOf = async (change: object, asked: PodSpec): Promise<string> => {
      const first = host({ apply: failure("unknown") });
      await first.pods.create(identity, spec, control).catch(() => undefined);
      const [, policy, there] = (first.runs.at(-1)!.options.stdin as string)
        .split("\n")
        .map((line) => JSON.parse(line) as { spec: object });
      const deployment = { ...there, ...object("Deployment", identity.deployment), spec: { ...there!.spec, ...change } };
      const second = host({ list: [object("Namespace", identity.namespace), policy!, deployment], apply: failure("unknown") });
      await second.pods.create(identity, asked, control).catch(() => undefined);
      const applied = (second.runs.at(-1)!.options.stdin as string).split("\n")[2]!;
      return /"podq.dev\/start":"(\d+)"/.exec(applied)![1]!;
    };
    expect(await startOf({}, spec)).toBe("1");
    expect(await startOf({}, { ...spec, image: "other" })).toBe("2");
    expect(await startOf({ replicas: 0 }, spec)).toBe("2");
  });
});

describe("find", () => {
  it("gives the newest life that is not ending, and the newest number of all", async () => {
    const going = named(10, { deletionTimestamp: "2026-01-01T00:00:00Z" });
    expect(await found(named(9), going, named(2))).toMatchObject({ highest: 10, current: { generation: 9, namespaceUid: "u9" } });
  });

  it("keeps the name that stands there, should names once be made otherwise", async () => {
    expect(await found(named(3, { name: "older-scheme-3" }))).toMatchObject({
      current: { namespace: "older-scheme-3", deployment: "workspace-3" },
    });
  });

  it("is not taken in by labels that somebody copied", async () => {
    const copied = { metadata: { name: "x", uid: "u", labels: labelsOf(identity), annotations: {} } };
    expect(await found(copied, named(2, { labels: { ...labelsOf(identity), "podq.dev/generation": "x" } }))).toEqual({ highest: 0 });
  });
});
