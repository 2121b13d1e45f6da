// What a run leaves in the journal when all of it is stored: its volume is small, and a full one costs the whole pod.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createExecs, type Execs } from "./exec.ts";
import { eventually, LocalPod } from "./local-shell.ts";
import { run } from "./testing.ts";

const target = { namespace: "n", pod: "p", podUid: "u" };
let pod: LocalPod;
let execs: Execs;

beforeEach(() => {
  pod = new LocalPod(["sh"]);
  execs = createExecs({ open: pod.open, journalDirs: [pod.kept] });
});
afterEach(async () => {
  await execs.close();
  await pod.stop();
});

const outputBytes = (): number =>
  readdirSync(pod.journal)
    .filter((name) => /\.[oet]$/.test(name))
    .reduce((sum, name) => sum + (statSync(join(pod.journal, name), { throwIfNoEntry: false })?.size ?? 0), 0);

it("holds no large output of a run that has ended, also of those that share the pod", async () => {
  const flood = { command: "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2", maxOutputBytes: 700_000, exclusive: false };
  const ran = await Promise.all([1, 2, 3].map(async () => run(execs, target, flood)));
  expect(ran.map(({ outcome }) => outcome)).toEqual(ran.map(() => expect.objectContaining({ kind: "ended", truncated: true }) as unknown));
  await eventually("the outputs are gone", () => outputBytes() === 0);
});

it("holds small outputs of a few runs, until there are more of them or the session ends", async () => {
  for (let n = 0; n < 3; n += 1) await run(execs, target, { command: "echo hello", exclusive: false });
  expect(outputBytes()).toBe(18);
  for (let n = 0; n < 7; n += 1) await run(execs, target, { command: "echo hello", exclusive: false });
  await eventually("most are gone", () => outputBytes() <= 18);
  await execs.close();
  await eventually("all are gone", () => outputBytes() === 0);
});
