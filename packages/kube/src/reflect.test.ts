import { expect, it } from "vitest";
import { createKubectl } from "./kubectl.ts";
import type { Pod } from "./objects.ts";
import { reflect } from "./reflect.ts";
import type { Reflector } from "./reflect.ts";
import { failure, scriptedHost } from "./scripted.ts";

const pod = (name: string, resourceVersion: string): Pod => ({ metadata: { name, uid: name, resourceVersion } });
const page = (names: string[], more?: string): string =>
  JSON.stringify({ items: names.map((name) => pod(name, "1")), metadata: { resourceVersion: "10", ...(more && { continue: more }) } });

/** A reflector on a host whose lists are answered in turn, the last one for ever; `told` is what it said, in order. */
function reflecting(...lists: string[]) {
  let admitted: ReturnType<typeof failure> | undefined;
  const host = scriptedHost(
    () => ({ stdout: Buffer.from(lists.length > 1 ? lists.shift()! : lists[0]!) }),
    () => admitted,
  );
  const told: string[] = [];
  const reflector: Reflector = reflect<Pod>(createKubectl(host), "/pods?x=y", {
    listed: (all) => void told.push(`all ${all.map(({ metadata }) => metadata.name).join(" ")}`),
    event: ({ type, object }) => void told.push(`${type} ${object.metadata.name}`),
    live: (live, why) => void told.push(live ? "live" : why === undefined ? "ended" : "lost"),
  });
  const query = async (n: number): Promise<string> => new URL((await host.channel(n)).argv.at(-1)!, "http://x").search;
  return { host, told, reflector, query, refuse: (with_: typeof admitted) => (admitted = with_) };
}

it("lists page by page, and watches from there", async () => {
  const { host, told, reflector, query } = reflecting(page(["a"], "t&k"), page(["b"]));
  expect(await query(0)).toMatch(/^\?x=y&allowWatchBookmarks=true&resourceVersion=10&watch=1&timeoutSeconds=\d+$/);
  expect(host.runs.map(({ argv }) => argv.at(-1))).toEqual(["/pods?x=y&limit=500", "/pods?x=y&limit=500&continue=t%26k"]);
  await expect.poll(() => told).toEqual(["all a b", "live"]);
  await reflector.stop();
});

it("goes on from the last change or bookmark when the watch is cut, without a list", async () => {
  const { host, told, reflector, query } = reflecting(page(["a"]));
  const first = await host.channel(0);
  first.send({ type: "MODIFIED", object: pod("a", "12") });
  first.send({ type: "BOOKMARK", object: { metadata: { resourceVersion: "17" } } });
  first.end(failure("unknown"));
  expect(await query(1)).toContain("resourceVersion=17");
  expect(host.runs).toHaveLength(1);
  await expect.poll(() => told).toEqual(["all a", "live", "MODIFIED a", "lost", "live"]);
  await reflector.stop();
});

it.each([
  ["inside the stream", { type: "ERROR", object: { code: 410, reason: "Expired" } }, { code: 0 }],
  ["as an answer", null, { code: 1, stderr: Buffer.from("Error from server (Expired): too old resource version: 10 (99)") }],
])("lists anew when the server has forgotten what came since, told %s", async (_, event, exit) => {
  const { host, told, reflector } = reflecting(page(["a"]), page(["b"]));
  const first = await host.channel(0);
  if (event !== null) first.send(event);
  first.end(exit);
  await host.channel(1);
  await expect.poll(() => told).toEqual(["all a", "live", "ended", "all b", "live"]);
  await reflector.stop();
});

it("lists anew when it is asked to", async () => {
  const { host, told, reflector } = reflecting(page(["a"]), page(["b"]));
  const first = await host.channel(0);
  reflector.relist();
  await host.channel(1);
  expect(first.closed).toBe(true);
  await expect.poll(() => told).toEqual(["all a", "live", "ended", "all b", "live"]);
  await reflector.stop();
});

it("tries again while there is no way to the cluster, and says so", async () => {
  const { host, told, reflector, refuse } = reflecting(page(["a"]));
  refuse(failure("unavailable"));
  await expect.poll(() => told.filter((one) => one === "lost").length, { timeout: 10_000 }).toBeGreaterThan(1);
  expect(host.channels).toHaveLength(0);
  refuse(undefined);
  await host.channel(0);
  await expect.poll(() => told.at(-1)).toBe("live");
  await reflector.stop();
});
