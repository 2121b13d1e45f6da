import { parseRequest } from "@podq/jobs";
import type { JobDocument, PodDocument, Target } from "@podq/store";
import { describe, expect, it } from "vitest";
import { createAim } from "./aim.ts";
import { openBench, type Bench } from "./testing.ts";

const [old, now]: Target[] = [
  { podName: "a", podUid: "old" },
  { podName: "b", podUid: "now" },
];
const pod = { status: "running", ...now } as PodDocument;

/** An exec that a worker has claimed with a guess, and then another, since the first said nothing more. */
async function takenOver({ store }: Bench, guess: Target, parallel = false, confirmed?: Target): Promise<JobDocument> {
  const { job } = await store.jobs.insert("a", parseRequest("exec", { owner: { project: "p" }, params: { command: "x", parallel } }));
  await store.jobs.claim(job, "first", 1, guess);
  if (confirmed !== undefined) await store.jobs.retarget({ id: "a", attempt: 1 }, confirmed);
  let second: JobDocument | null = null;
  await expect.poll(async () => (second = await store.jobs.claim(job, "second", 60_000, null)), { timeout: 10_000 }).not.toBeNull();
  return second!;
}

describe("an attempt that follows another", () => {
  it("goes where the pod is when the first had only guessed, and wrongly: it cannot have started anything", async () => {
    await using bench = await openBench();
    const aimed = await createAim(bench.store.jobs).correct(await takenOver(bench, old!), pod);
    expect(aimed!.target).toEqual(now);
    expect((await bench.store.jobs.get("a"))!.target).toEqual({ ...now });
  });

  it("goes where the first guessed rightly, or had made sure of: it may have started there", async () => {
    await using guessed = await openBench();
    expect((await createAim(guessed.store.jobs).correct(await takenOver(guessed, now!), pod))!.target).toMatchObject(now!);
    await using sure = await openBench();
    expect((await createAim(sure.store.jobs).correct(await takenOver(sure, now!, false, old), pod))!.target).toEqual(old);
  });

  it("of an exec that shares its pod finds no guess: others may change the pod's record meanwhile", async () => {
    await using bench = await openBench();
    expect((await takenOver(bench, old!, true)).target).toBeNull();
  });
});
