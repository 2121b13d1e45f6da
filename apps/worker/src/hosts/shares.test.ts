import type { PodDocument } from "@podq/store";
import { expect, it } from "vitest";
import { createShares, type Entry } from "./shares.ts";

const podOn = (name: string, status = "running"): PodDocument => ({ host: { name }, status }) as PodDocument;

function open(most: number, pods: Record<string, PodDocument>) {
  const woken: string[] = [];
  const looks: string[] = [];
  const recordOf = async (podKey: string): Promise<PodDocument | null> => {
    looks.push(podKey);
    return pods[podKey] ?? null;
  };
  return { shares: createShares({ most, recordOf, wake: (id) => woken.push(id) }), woken, looks };
}
const leave = (entry: Entry): void => {
  if (!("leave" in entry)) throw new Error("it was turned away");
  entry.leave();
};

it("a host takes its share and no more, and leaves that of others alone", async () => {
  const { shares } = open(2, { a: podOn("slow"), b: podOn("other") });
  for (const id of ["1", "2"]) expect(await shares.ask("a", id)).toHaveProperty("leave");
  expect(await shares.ask("a", "3")).toHaveProperty("forMs");
  expect(await shares.ask("b", "4")).toHaveProperty("leave");
});

it("who leaves brings back whoever was turned away first, once", async () => {
  const { shares, woken } = open(1, { a: podOn("h") });
  const first = await shares.ask("a", "1");
  const second = await shares.ask("a", "2");
  await shares.ask("a", "3");
  expect("isFree" in second && second.isFree()).toBe(false);
  leave(first);
  leave(first);
  expect(woken).toEqual(["2"]);
  expect("isFree" in second && second.isFree()).toBe(true);
  leave(await shares.ask("a", "2"));
  expect(woken).toEqual(["2", "3"]);
});

it("a pod's record is read once, and again when it has moved on", async () => {
  const { shares, looks } = open(9, { a: podOn("h") });
  await shares.ask("a", "1");
  await shares.ask("a", "2");
  expect(looks).toEqual(["a"]);
  shares.note("a", podOn("h", "deleted"));
  await shares.ask("a", "3");
  expect(looks).toEqual(["a", "a"]);
});

it("a pod that is nowhere yet is counted where it is placed", async () => {
  const { shares } = open(1, {});
  expect(await shares.ask("new", "1")).toHaveProperty("leave");
  const out = shares.enter("h");
  expect(shares.isFree("h")).toBe(false);
  out();
  expect(shares.isFree("h")).toBe(true);
});

it("the more wait, the later each comes back by itself, and never later than the sweeper lets it", async () => {
  const { shares } = open(0, { a: podOn("h") });
  const delays: number[] = [];
  for (let n = 0; n < 3_000; n++) {
    const entry = await shares.ask("a", `job${n}`);
    if ("forMs" in entry) delays.push(entry.forMs);
  }
  expect(delays).toHaveLength(3_000);
  expect(delays[0]).toBeLessThan(delays[500]!);
  expect(Math.max(...delays)).toBeLessThan(30_000);
});
