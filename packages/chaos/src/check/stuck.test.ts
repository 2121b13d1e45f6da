import { expect, it } from "vitest";
import type { JobRecord } from "./history.ts";
import { idleHeads } from "./stuck.ts";

type Told = Pick<JobRecord, "id" | "podKey" | "seq" | "state"> & { by?: string };

const jobOf = ({ by, ...told }: Told): JobRecord =>
  ({
    ...told,
    attempts: by === undefined ? [] : [{ n: 1, worker: by, startedAtMs: 0, endedAtMs: null, why: null }],
  }) as unknown as JobRecord;

it.each<[what: string, line: Told[], idle: string[]]>([
  ["waits at the head", [{ id: "a", podKey: "p", seq: 1, state: "queued" }], ["a"]],
  ["is run by one who lives", [{ id: "a", podKey: "p", seq: 1, state: "running", by: "alive" }], []],
  ["is held by one who died", [{ id: "a", podKey: "p", seq: 1, state: "running", by: "dead" }], ["a"]],
  [
    "waits behind one that runs",
    [
      { id: "b", podKey: "p", seq: 2, state: "queued" },
      { id: "a", podKey: "p", seq: 1, state: "running", by: "alive" },
    ],
    [],
  ],
  [
    "waits behind one that has ended, and one in another pod",
    [
      { id: "a", podKey: "p", seq: 1, state: "succeeded", by: "dead" },
      { id: "b", podKey: "p", seq: 2, state: "queued" },
      { id: "c", podKey: "q", seq: 1, state: "running", by: "alive" },
    ],
    ["b"],
  ],
])("looks at a job that %s", (_, line, idle) => {
  expect(idleHeads({ jobs: line.map(jobOf) }, (worker) => worker === "alive")).toEqual(idle);
});
