import { expect, it } from "vitest";
import { openContext } from "@podq/client/handles";
import { openScene, type Scene } from "../testing.ts";

type Event = { id: number; event: string; data: Record<string, unknown> };

/** The events of a stream, in the order in which they come, until there are so many; `heard` is told of each. */
async function eventsOf(scene: Scene, path: string, count: number, heard: (event: Event) => unknown): Promise<Event[]> {
  const stop = new AbortController();
  const response = await fetch(`${scene.url}${path}`, { signal: stop.signal });
  const events: Event[] = [];
  let rest = "";
  for await (const chunk of response.body!) {
    const parts = (rest + Buffer.from(chunk).toString()).split("\n\n");
    rest = parts.pop()!;
    for (const part of parts) {
      const [, id, event, data] = /^id: (\d+)\nevent: (\w+)\ndata: (.*)$/s.exec(part) ?? [];
      if (data === undefined) continue;
      events.push({ id: Number(id), event: event!, data: JSON.parse(data) as Record<string, unknown> });
      await heard(events.at(-1)!);
    }
    if (events.length >= count) break;
  }
  stop.abort();
  return events;
}

const resources = { memory: "200Mi", cpu: "200m", memoryRequests: "100Mi", cpuRequests: "100m" };
const host = { name: "default", address: "127.0.0.1", port: 22, username: "podq" };
const names = { namespace: "podq-p1", identity: { deployment: "ws" } as never, image: "x:1", resources, labels: {}, host };

it("the events of a pod come with its record at each change, at a nudge and without", async () => {
  await using scene = await openScene();
  const { listener, line, close } = await openContext(scene.databases);
  const key = "project/p1/default";
  let pod = (await scene.store.pods.insert(key, { owner: { project: "p1" }, name: "default", generation: 1, ...names }))!;
  const change = async ({ id }: Event): Promise<void> => {
    pod = (await scene.store.pods.patch(pod, { status: id === 1 ? "running" : "stopped" }))!;
    if (id === 2) await line.nudge(key);
  };
  const events = await eventsOf(scene, "/v1/pods/project/p1/events", 3, async (event) => (event.id < 3 ? change(event) : undefined));
  expect(events).toMatchObject([
    { id: 1, event: "snapshot", data: { status: "created", version: 1 } },
    { id: 2, event: "change", data: { status: "running", version: 2, record: { status: "running", version: 2, namespace: "podq-p1" } } },
    { id: 3, event: "change", data: { status: "stopped", version: 3, record: { status: "stopped", version: 3 } } },
  ]);
  listener.close();
  await close();
});

it("the events of a job come with its record, and its place in line while it waits", async () => {
  await using scene = await openScene();
  const exec = async (): Promise<string> =>
    String((await scene.ask("POST", "/v1/pods/project/p1/exec", { body: { command: "x" } })).body.id);
  const [first, second] = [await exec(), await exec()];
  const end = async ({ id }: Event): Promise<void> => {
    if (id > 1) return;
    await scene.finish(first, 0, "");
    await scene.finish(second, 0, "");
  };
  const events = await eventsOf(scene, `/v1/jobs/${second}/events`, 3, end);
  expect(events[0]).toMatchObject({ event: "snapshot", data: { id: second, state: "queued", position: 1 } });
  expect(events.at(-1)).toMatchObject({ id: 3, event: "change", data: { state: "succeeded", record: { id: second, state: "succeeded" } } });
});

it("who has seen all so far is answered at once, before there is anything new", async () => {
  await using scene = await openScene();
  const { body } = await scene.ask("POST", "/v1/pods/project/p1/exec", { body: { command: "x" } });
  const stop = new AbortController();
  const headers = { "last-event-id": "1" };
  const { status } = await fetch(`${scene.url}/v1/jobs/${String(body.id)}/events`, {
    headers,
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(10_000)]),
  });
  expect(status).toBe(200);
  stop.abort();
});
