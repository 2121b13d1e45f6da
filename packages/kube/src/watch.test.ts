import { describe, expect, it } from "vitest";
import { createKubectl } from "./kubectl.ts";
import { failure, scriptedHost } from "./scripted.ts";
import { watch, watchOnce } from "./watch.ts";
import type { WatchEvent } from "./watch.ts";

type Named = { name: string };

function watching(timeoutMs = 5_000) {
  const host = scriptedHost(() => ({}));
  const over = new AbortController();
  const events: WatchEvent<Named>[] = [];
  const openings: number[] = [];
  const arrived = new EventTarget();
  const listener = {
    opened: () => openings.push(events.length),
    event(event: WatchEvent<Named>) {
      events.push(event);
      arrived.dispatchEvent(new Event("event"));
    },
  };
  const bounds = { signal: over.signal, until: performance.now() + timeoutMs };
  const received = async (count: number): Promise<void> => {
    while (events.length < count) await new Promise((resolve) => arrived.addEventListener("event", resolve, { once: true }));
  };
  return {
    host,
    over,
    events,
    openings,
    received,
    watch: () => watch(createKubectl(host), "/pods?x=y", bounds, listener),
    once: () => watchOnce(createKubectl(host), "/pods?x=y", bounds, listener),
  };
}

describe("watch", () => {
  it("asks the server to end it by itself, for a kubectl whose end nobody sees must not stay", async () => {
    const { host, over, ...it } = watching(5_000);
    const done = it.watch();
    expect((await host.channel(0)).argv).toEqual(["kubectl", "get", "--raw", "/pods?x=y&watch=1&timeoutSeconds=5"]);
    over.abort();
    await done;
  });

  it("puts lines together however the bytes arrive, also inside a character", async () => {
    const { host, over, events, received, ...it } = watching();
    const done = it.watch();
    const channel = await host.channel(0);
    const bytes = Buffer.from(
      `${JSON.stringify({ type: "ADDED", object: { name: "päd" } })}\n${JSON.stringify({ type: "DELETED", object: { name: "b" } })}\n`,
    );
    for (const byte of bytes) channel.write(Buffer.from([byte]) as unknown as string);
    await received(2);
    expect(events).toEqual([
      { type: "ADDED", object: { name: "päd" } },
      { type: "DELETED", object: { name: "b" } },
    ]);
    over.abort();
    await done;
  });

  it("passes over bookmarks and errors, which are no objects", async () => {
    const { host, over, events, received, ...it } = watching();
    const done = it.watch();
    const channel = await host.channel(0);
    channel.send({ type: "BOOKMARK", object: { name: "x" } });
    channel.send({ type: "ERROR", object: { name: "410" } });
    channel.send({ type: "MODIFIED", object: { name: "a" } });
    await received(1);
    expect(events).toEqual([{ type: "MODIFIED", object: { name: "a" } }]);
    over.abort();
    await done;
  });

  it("begins anew when the server ends it, and says so, because all that exists is told again", async () => {
    const { host, over, events, openings, received, ...it } = watching();
    const done = it.watch();
    const first = await host.channel(0);
    first.send({ type: "ADDED", object: { name: "a" } });
    await received(1);
    first.end({ code: 0 });
    (await host.channel(1)).send({ type: "ADDED", object: { name: "a" } });
    await received(2);
    expect(events).toHaveLength(2);
    expect(openings).toEqual([0, 1]);
    over.abort();
    await done;
  });

  it("closes its channel when it is told to stop", async () => {
    const { host, over, ...it } = watching();
    const done = it.watch();
    const channel = await host.channel(0);
    over.abort();
    await done;
    expect(channel.closed).toBe(true);
  });

  it("closes its channel when the time is over", async () => {
    const { host, ...it } = watching(50);
    await it.watch();
    expect(host.channels.map(({ closed }) => closed)).toEqual([true]);
  });

  it.each([
    ["a lost connection", failure("unknown"), "host-unreachable"],
    ["a refused one", { code: 1, stderr: Buffer.from("The connection to the server x was refused - did you") }, "cluster-unreachable"],
    [
      "missing rights",
      { code: 1, stderr: Buffer.from('Error from server (Forbidden): pods is forbidden: User "x" cannot watch') },
      "forbidden",
    ],
  ])("fails by name on %s, and closes", async (_, end, code) => {
    const { host, ...it } = watching();
    const done = it.watch();
    const channel = await host.channel(0);
    channel.end(end);
    await expect(done).rejects.toMatchObject({ code });
    expect(channel.closed).toBe(true);
  });

  it("fails on a line that is not JSON, and closes", async () => {
    const { host, ...it } = watching();
    const done = it.watch();
    const channel = await host.channel(0);
    channel.write("<html>\n");
    await expect(done).rejects.toMatchObject({ code: "internal" });
    expect(channel.closed).toBe(true);
  });

  it("fails by name when no channel is to be had", async () => {
    const host = scriptedHost(
      () => ({}),
      () => failure("unavailable"),
    );
    await expect(watch(createKubectl(host), "/x?", { until: performance.now() + 5_000 }, { event: () => undefined })).rejects.toMatchObject(
      { code: "host-unreachable" },
    );
  });
});

describe("watchOnce", () => {
  it("leaves it to the caller what to do when the server ends it", async () => {
    const { host, ...it } = watching();
    const done = it.once();
    (await host.channel(0)).end({ code: 0 });
    await done;
    expect(host.channels).toHaveLength(1);
  });
});
