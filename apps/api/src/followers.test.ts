import { describe, expect, it, onTestFinished } from "vitest";
import { createFollowers, type Followers } from "./followers.ts";

type Scene = { jobs: Followers; versions: Map<string, number>; looks: string[][]; nudge: (id: string) => void };

function open(): Scene {
  const versions = new Map([
    ["a", 1],
    ["b", 1],
  ]);
  const looks: string[][] = [];
  const hearers = new Map<string, (over: boolean) => void>();
  const store = {
    versions: async (ids: readonly string[]) => {
      looks.push([...ids]);
      return versions;
    },
  };
  const listener = {
    onNudge: async (id: string, heard: (over: boolean) => void) => {
      hearers.set(id, heard);
      return () => void hearers.delete(id);
    },
  };
  const followers = createFollowers({ store: { jobs: store, pods: store }, listener } as never);
  onTestFinished(() => Object.values(followers).forEach(({ stop }) => stop()));
  return { jobs: followers.jobs, versions, looks, nudge: (id) => hearers.get(id)?.(false) };
}

const never = new AbortController().signal;
const longMs = 20_000;

describe("a follower", () => {
  it("reads at a nudge, also at one that came since the last wait", async () => {
    const { jobs, nudge } = open();
    const follower = await jobs.follow("a");
    const next = follower.next(1, never, longMs);
    nudge("a");
    expect(await next).toBe(true);
    nudge("a");
    expect(await follower.next(1, never, longMs)).toBe(true);
  });

  it("reads without any nudge when the record is newer, or gone; one look is for all who wait", async () => {
    const { jobs, versions, looks } = open();
    const [a, b] = [await jobs.follow("a"), await jobs.follow("b")];
    const both = Promise.all([a.next(1, never, longMs), b.next(1, never, longMs)]);
    await expect.poll(() => looks.length, { timeout: 15_000 }).toBe(1);
    versions.set("a", 2);
    versions.delete("b");
    expect(await both).toEqual([true, true]);
    expect(looks).toEqual([
      ["a", "b"],
      ["a", "b"],
    ]);
  });

  it("is told that nothing happened, and goes when its reader goes", async () => {
    const { jobs, looks } = open();
    const follower = await jobs.follow("a");
    expect(await follower.next(1, never, 10)).toBe(false);
    const gone = new AbortController();
    const next = follower.next(1, gone.signal, longMs);
    gone.abort(new Error("gone"));
    await expect(next).rejects.toThrow("gone");
    const other = await jobs.follow("b");
    const waiting = other.next(1, AbortSignal.timeout(15_000), longMs).catch(() => undefined);
    await expect.poll(() => looks, { timeout: 15_000 }).toEqual([["b"]]);
    other.stop();
    void waiting;
  });
});
